/** Set by `npm run test:long`: nothing is left out. */
export const isLong = process.env['CUTOVER_TEST_LONG'] === '1'

/** A place in the run of a command: right after the n-th operation of a step, from 1. See kill-at-operation.mjs. */
export interface KillPoint {
  readonly step: string
  readonly operation: number
  /** What the operation is, for messages. */
  readonly what: string
}

/** Read what kill-at-operation.mjs wrote of a run. */
export function pointsOf(text: string): readonly KillPoint[] {
  const counts = new Map<string, number>()
  return text
    .trimEnd()
    .split('\n')
    .map(line => {
      const [step, what] = line.split('\t') as [string, string]
      const operation = (counts.get(step) ?? 0) + 1
      counts.set(step, operation)
      return { step, operation, what }
    })
}

/** Choose evenly spaced ones of a list, the first and the last among them; all of them in a long run. */
export function sample<T>(list: readonly T[], count: number): readonly T[] {
  return isLong ? list : evenly(list, count)
}

/** Choose evenly spaced ones of a list, the first and the last among them. */
export function evenly<T>(list: readonly T[], count: number): readonly T[] {
  if (list.length <= count) return list
  return Array.from({ length: count }, (_, index) => list[Math.round((index * (list.length - 1)) / (count - 1))]!)
}
