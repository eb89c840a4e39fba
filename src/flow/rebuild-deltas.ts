import type { Outcome } from '../core/outcome.ts'
import { known } from '../core/step.ts'
import { isDelta } from '../payload/release-record.ts'
import { makeDeltasOr } from './cut-deltas.ts'
import type { RebuildState } from './rebuild-state.ts'

/** Make the deltas of the release again; one whose base cannot be had any more is taken as it is, and that is told. */
export function makeDeltasAgain(state: RebuildState): Promise<Outcome<string>> {
  const { components } = known(state.released).record
  return makeDeltasOr(state, ({ component, from, reason }) => {
    const artifacts = components.find(({ name }) => name === component)?.artifacts ?? []
    const delta = artifacts.filter(isDelta).find(each => each.from === from)
    if (delta !== undefined) state.taken.set(delta.name, `it cannot be made again: of ${from}, ${reason}`)
    return delta
  })
}
