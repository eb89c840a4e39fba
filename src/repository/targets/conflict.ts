import type { Digest } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'

/** What a key holds, and what it should. */
export interface Comparison {
  readonly found: Digest | undefined
  readonly expected: Digest | undefined
}

/** Say that a key that must never change has other bytes. */
export function conflict(target: string, key: string, { found, expected }: Comparison): ReleaseError {
  return new ReleaseError(
    'REPOSITORY_CONFLICT',
    `${key} in ${target} has ${found ?? 'vanished'}, expected ${expected ?? 'nothing there'}`,
    { details: { key, found, expected } },
  )
}

/** Say that a key is not what a replacement was made for. */
export function changed(target: string, key: string, { found, expected }: Comparison): ReleaseError {
  return new ReleaseError(
    'REPOSITORY_CHANGED',
    `${key} in ${target} is ${found ?? 'gone'}, expected ${expected ?? 'nothing there'}`,
    { details: { key, found, expected } },
  )
}

/** Refuse to replace anything but what was expected. Errors: REPOSITORY_CHANGED. */
export function assertReplaces(target: string, key: string, comparison: Comparison): void {
  if (comparison.found !== comparison.expected) throw changed(target, key, comparison)
}

/** Refuse bytes on their way to a key that are not what they should be. Errors: RELEASE_DAMAGED. */
export function assertSent(key: string, found: Digest, expected: Digest): void {
  if (found === expected) return
  throw new ReleaseError('RELEASE_DAMAGED', `the bytes for ${key} are ${found}, expected ${expected}`, {
    details: { key, found, expected },
  })
}

/** Say that a key of a target holds nothing. */
export function nothingThere(target: string, key: string): ReleaseError {
  return new ReleaseError('REPOSITORY_DAMAGED', `${key} in ${target} does not exist`, { details: { key } })
}

/** Say that an object is larger than it may be. */
export function tooLarge(target: string, key: string, maxBytes: number): ReleaseError {
  return new ReleaseError('REPOSITORY_DAMAGED', `${key} in ${target} has more than the ${maxBytes} bytes expected`, {
    details: { key, maxBytes },
  })
}
