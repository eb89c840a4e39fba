import type { ReleaseError } from './error.ts'

/**
 * What a step came to, as a value: a flow decides on it, nothing is thrown across a step's border.
 *
 * Shape: `skipped.code` is for programs (an error-code-like constant), `skipped.reason` is for people.
 */
export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'skipped'; readonly code: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: ReleaseError }

/** Say that a step did its work, with what the next step needs. */
export function done(): Outcome<void>
export function done<T>(value: T): Outcome<T>
export function done<T>(value?: T): Outcome<T | undefined> {
  return { kind: 'done', value }
}

/** Say that a step had nothing to do, and why. A required step that is skipped fails its run. */
export function skipped(code: string, reason: string): Outcome<never> {
  return { kind: 'skipped', code, reason }
}

/** Say that a step failed. */
export function failed(error: ReleaseError): Outcome<never> {
  return { kind: 'failed', error }
}
