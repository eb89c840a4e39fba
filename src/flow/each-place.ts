import { type ReleaseError, toReleaseError } from '../core/error.ts'
import type { FlowTools } from './tools.ts'

/** A place where something failed. */
export interface PlaceFailure {
  readonly place: string
  readonly error: ReleaseError
}

/** Something that is done at several places, one after the other. */
export interface Attempts {
  readonly failures: readonly PlaceFailure[]
  /** Do it at one: what fails there is told and noted, so that the others have their turn. Errors: those of the only place; INTERRUPTED. */
  readonly attempt: (place: string, run: () => Promise<void>) => Promise<void>
}

/** Begin something at so many places. */
export function attemptsAt(count: number, { emit, signal }: Pick<FlowTools, 'emit' | 'signal'>): Attempts {
  const failures: PlaceFailure[] = []
  return {
    failures,
    attempt: async (place, run) => {
      try {
        await run()
      } catch (caught) {
        // One place is all there is: its error is the command's.
        if (count === 1) throw caught
        signal.throwIfAborted()
        const error = toReleaseError(caught)
        failures.push({ place, error })
        emit({ kind: 'warning', code: error.code, message: `${place}: ${error.message}` })
      }
    },
  }
}

/** Sum up failures that were told: a command's output is not repeated. */
export function failuresText(failures: readonly PlaceFailure[]): string {
  return failures.map(({ place, error }) => `${place} (${error.code}: ${error.message.split('\n', 1)[0]})`).join('; ')
}
