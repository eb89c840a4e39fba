import type { Event } from '../../core/event.ts'
import { formatBytes, formatDuration } from '../../core/quantity.ts'

type ProgressEvent = Extract<Event, { kind: 'progress' }>

/** Where the measuring of a piece of work began. */
export interface ProgressStart {
  readonly done: number
  readonly atMs: number
}

/**
 * Word how far some work is: `fetching 12.0 MiB of 48.0 MiB · 25 % · 8.0 MiB/s · 4.5 s left`.
 *
 * Pre: `start` is the first event of the same step and work. Post: no rate before 200 ms have passed, for it would be a guess.
 */
export function progressText(event: ProgressEvent, start: ProgressStart, nowMs: number): string {
  const amount = (value: number) => (event.unit === 'bytes' ? formatBytes(value) : `${value}`)
  const parts = [`${event.what} ${amount(event.done)}${event.total === undefined ? '' : ` of ${amount(event.total)}`}`]
  if (event.unit !== 'bytes') parts[0] += ` ${event.unit}`
  if (event.total !== undefined && event.total > 0) {
    parts.push(`${Math.min(100, Math.floor((event.done / event.total) * 100))} %`)
  }
  const elapsedMs = nowMs - start.atMs
  const advanced = event.done - start.done
  if (elapsedMs >= 200 && advanced > 0) {
    const perSecond = (advanced / elapsedMs) * 1000
    parts.push(`${amount(Math.round(perSecond))}/s`)
    if (event.total !== undefined && event.total > event.done) {
      parts.push(`${formatDuration(((event.total - event.done) / perSecond) * 1000)} left`)
    }
  }
  return parts.join(' · ')
}
