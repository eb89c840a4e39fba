const firstPauseMs = 100
const longestPauseMs = 10_000

/** A service that ran this long has proven that it can: the next pause is the shortest again. */
const provenMs = 10_000

/** How often in a row a service ended soon after its start, `ranMs` after the last start included. */
export function failuresInARow(before: number, ranMs: number): number {
  return ranMs >= provenMs ? 1 : before + 1
}

/** How long to wait before the next start: 0.1 s, doubling up to 10 s. */
export function restartPauseMs(failures: number): number {
  return Math.min(firstPauseMs * 2 ** Math.min(failures - 1, 10), longestPauseMs)
}
