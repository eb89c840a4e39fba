import { ReleaseError } from '../core/error.ts'
import type { StateFormat } from './journal-record.ts'
import type { PrefixState, Transaction } from './state.ts'

/** Find the change that a version is avoided for: the one that failed, or the rollback that left it. Pure. */
export function avoidedFor(state: PrefixState, version: string): Transaction | undefined {
  if (!state.avoided.has(version)) return undefined
  return state.transactions.findLast(
    each =>
      (each.command === 'install' && each.version === version && each.failure !== undefined) ||
      (each.command === 'rollback' && each.from === version && each.outcome === 'committed'),
  )
}

/** Refuse a version that failed here or was rolled back from, unless it is asked for in spite of that. Errors: RELEASE_AVOIDED. */
export function assertNotAvoided(state: PrefixState, version: string, retry: boolean): void {
  if (retry || !state.avoided.has(version)) return
  const why = avoidedFor(state, version)
  const what =
    why?.failure === undefined
      ? `was rolled back from${why === undefined ? '' : ` by ${why.by}`}`
      : `failed here with ${why.failure.code}: ${why.failure.reason}`
  throw new ReleaseError('RELEASE_AVOIDED', `${version} ${what}`, {
    hint: `cutover why --version ${version} tells more; --retry installs it all the same`,
    details: { version, code: why?.failure?.code },
  })
}

/**
 * Refuse a version that cannot read the data as it is stored. Pre: `format` is what its recipe says, undefined where it says nothing.
 *
 * Errors: STATE_EPOCH.
 */
export function assertReadsState(state: PrefixState, version: string, format: StateFormat | undefined): void {
  const { stateEpoch } = state
  if (format === undefined || stateEpoch === undefined || format.reads.includes(stateEpoch)) return
  throw new ReleaseError(
    'STATE_EPOCH',
    `${version} reads data of epoch ${format.reads.join(', ')}, found ${stateEpoch} written by a version that ran here`,
    {
      hint: `choose a version that reads epoch ${stateEpoch}, or put a backup from before it back by hand`,
      details: { version, stateEpoch, reads: format.reads.map(String) },
    },
  )
}
