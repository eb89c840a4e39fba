/** When clients are to come back. */
export interface RetrySettings {
  /** Seconds, before the spread. */
  readonly retryAfter: number
  /** The share of it that is added at random at most. */
  readonly jitter: number
  /** How many clients there are, and how many of them per second the application can take back; 0 or absent: not known. */
  readonly clients?: number | undefined
  readonly perSecond?: number | undefined
}

/** A shorter spread would not be one: clients that all came within a second would come back within one. */
const shortestSpreadSeconds = 5

/**
 * Tell over how many seconds the return of clients is spread: the jitter's share of the wait; where it is known how many clients there are,
 * long enough that no more come back per second than the application can take.
 *
 * Post: an integer of at least 5.
 */
export function spreadSeconds({ retryAfter, jitter, clients = 0, perSecond = 0 }: RetrySettings): number {
  const population = clients > 0 && perSecond > 0 ? Math.ceil(clients / perSecond) : 0
  return Math.max(Math.floor(retryAfter * jitter), population, shortestSpreadSeconds)
}

/** Choose when one client is to come back, in seconds. Post: an integer from `retryAfter` upwards, within the spread. `random` is below 1. */
export function retryAfterSeconds(settings: RetrySettings, random: () => number): number {
  return settings.retryAfter + Math.floor(random() * (spreadSeconds(settings) + 1))
}

/**
 * Make the fields that a good answer carries in the soft phase: they tell to stay away for as long as the whole phase lasts, and then as
 * long as an answer that turns away would.
 *
 * So whoever is told comes back after its end, those who were told first before those who were told last: the return is spread over as long
 * as the phase lasted, however many clients there are. To tell what is left of it would call all of them back in one moment.
 * Shape: name, value, name, value; one number under both names, for clients of storage and of token servers.
 * Source: Mozilla's storage API 1.5 (X-Weave-Backoff on any answer) and token server API (X-Backoff).
 */
export function softFields(settings: RetrySettings, lastsMs: number, random: () => number): readonly string[] {
  const seconds = String(Math.ceil(lastsMs / 1000) + retryAfterSeconds(settings, random))
  return ['X-Weave-Backoff', seconds, 'X-Backoff', seconds]
}
