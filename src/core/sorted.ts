/** Count how many of the numbers from 0 to `end` come before the first that does not hold. Pre: it holds for none after that. */
export function countUntil(end: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, end]
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) low = middle + 1
    else high = middle
  }
  return low
}
