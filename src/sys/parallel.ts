/** How many items are worked on at once, and how those under way are told to stop. */
export interface ParallelOptions {
  readonly parallelism: number
  readonly stop: (reason: unknown) => void
}

/**
 * Do something with every item, a few at once, in their order.
 *
 * Post: nothing runs any more when the promise settles. On the first failure `stop` is called for those under way; its error is thrown.
 */
export async function eachInParallel<T>(
  items: readonly T[],
  { parallelism, stop }: ParallelOptions,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  let failure: { readonly caught: unknown } | undefined
  const lane = async (): Promise<void> => {
    while (failure === undefined && next < items.length) {
      const item = items[next++] as T
      try {
        await work(item)
      } catch (caught) {
        // The others fail because they are told to stop.
        if (failure !== undefined) return
        failure = { caught }
        stop(caught)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallelism, items.length) }, lane))
  if (failure !== undefined) throw (failure as { readonly caught: unknown }).caught
}
