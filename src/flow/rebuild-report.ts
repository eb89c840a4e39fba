import type { ArtifactComparison } from '../comparison/release.ts'
import { ReleaseError } from '../core/error.ts'
import { known } from '../core/step.ts'
import type { RebuildState } from './rebuild-state.ts'

/** What a rebuild that is equal hands to programs; one that is not ends in REBUILD_DIFFERS, with the same artifacts in its details. */
export interface RebuildResult {
  readonly name: string
  readonly version: string
  readonly equal: readonly string[]
  /** Deltas from releases that cannot be had any more. */
  readonly notCompared: readonly string[]
}

/** The table is for people; the error has all. */
const longestCell = 36

/** Show how the release compares with what was built again, artifact by artifact. Errors: REBUILD_DIFFERS. */
export function reportRebuild(state: RebuildState, durationMs: number): void {
  const { name, version } = known(state.released).record
  const comparisons = known(state.comparisons)
  const differing = comparisons.filter(({ result }) => result === 'differs')
  state.tools.emit({
    kind: 'table',
    title: `${name} ${version}, released and built again`,
    columns: ['Artifact', 'Result', 'Where', 'Released', 'Built again', 'Why'],
    rows: comparisons.flatMap(rowsOf),
  })
  const equal = comparisons.filter(({ result }) => result === 'equal').map(({ artifact }) => artifact)
  if (differing.length > 0) throw differs(state, differing, equal)
  const notCompared = [...state.taken.keys()]
  const result: RebuildResult = { name, version, equal, notCompared }
  const but = notCompared.length === 0 ? '' : `, but for ${notCompared.length} that could not be built`
  const commit = known(state.prepared).facts.head.commit.slice(0, 12)
  const message = `${name} ${version} built again from ${commit} is equal, byte for byte${but}`
  state.tools.emit({ kind: 'run-done', command: 'verify', changed: false, durationMs, message, result })
}

function rowsOf({ artifact, result, shown, count }: ArtifactComparison): readonly (readonly string[])[] {
  if (result === 'equal') return [[artifact, result, '', '', '', '']]
  const rows = shown.map(({ where, released, rebuilt, why }) => [
    artifact,
    result,
    where,
    shortened(released),
    shortened(rebuilt),
    why,
  ])
  const left = count - shown.length
  return left > 0 ? [...rows, [artifact, result, `and ${left} more`, '', '', '']] : rows
}

/** A digest is told by its beginning. */
function shortened(text: string): string {
  return text.length > longestCell ? `${text.slice(0, longestCell - 1)}…` : text
}

function differs(
  state: RebuildState,
  differing: readonly ArtifactComparison[],
  equal: readonly string[],
): ReleaseError {
  const { name, version } = known(state.released).record
  const all = differing.flatMap(({ artifact, shown }) => shown.map(difference => ({ artifact, ...difference })))
  // What others follow from says most, and of that what has a reason.
  const own = all.filter(({ cause }) => cause === undefined)
  const first = own.find(({ why }) => why !== '') ?? own[0] ?? all[0]
  const where =
    first === undefined ? '' : `; ${first.artifact}: ${first.where}${first.why === '' ? '' : `: ${first.why}`}`
  const message = `${name} ${version} built again differs in ${differing.length} of ${differing.length + equal.length} artifacts${where}`
  const { missingTools } = state
  return new ReleaseError('REBUILD_DIFFERS', message, {
    ...(missingTools.length === 0 ? {} : { hint: `build it again with what made it: ${missingTools.join(', ')}` }),
    details: {
      version,
      differing: differing.map(({ artifact }) => artifact),
      equal,
      differences: all.map(
        ({ artifact, where, released, rebuilt, why }) => `${artifact}: ${where}: ${released} → ${rebuilt}: ${why}`,
      ),
    },
  })
}
