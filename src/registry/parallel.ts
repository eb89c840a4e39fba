/** How many blobs are moved at once: enough to keep a line busy, few enough to be polite. */
export const parallelBlobs = 4

/**
 * Do something with every item, a few at once, in their order.
 *
 * Post: nothing runs any more when the promise settles. On the first failure `stop` is called for those under way; its error is thrown.
 */
export async function eachInParallel<T>(
  items: readonly T[],
  stop: (reason: unknown) => void,
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
        failure ??= { caught }
        stop(caught)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(parallelBlobs, items.length) }, lane))
  if (failure !== undefined) throw (failure as { readonly caught: unknown }).caught
}
