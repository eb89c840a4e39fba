import path from 'node:path'
import { openOutput } from '../build/output.ts'
import type { Difference } from '../comparison/difference.ts'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome } from '../core/outcome.ts'
import { known } from '../core/step.ts'
import { isDelta, type ReleaseRecord } from '../payload/release-record.ts'
import { findRecipe } from '../recipe/find.ts'
import { loadRecipe } from '../recipe/load.ts'
import { readCommit } from '../source/facts.ts'
import { checkOutForTests, openFolders, setVersionAndChangelog } from './cut-source.ts'
import type { PreparedCut } from './cut-state.ts'
import type { RebuildState } from './rebuild-state.ts'

/**
 * Find the commit that the release was cut from, by its tag.
 *
 * Errors: REBUILD_SOURCE (this clone has not the tag, or not the commit).
 */
export async function findCommit(state: RebuildState): Promise<Outcome<string>> {
  const { tag, commit, tree, version } = known(state.released).record
  if (tag !== undefined) {
    const tagTree = await readTree(state, `refs/tags/${tag}`)
    if (tagTree === undefined) throw missingSource(state, `the tag ${tag}`, 'run git fetch --tags')
    const why = 'the tag was moved, or this is a clone of another repository'
    if (tagTree !== tree) addDifference(state, `tag ${tag}`, [{ where: 'tree', released: tree, rebuilt: tagTree, why }])
  }
  const hint = 'run git fetch --all, in a clone of the repository that the release was cut in'
  if ((await readTree(state, commit)) === undefined) throw missingSource(state, `the commit ${commit}`, hint)
  return done(`${tag ?? `the snapshot ${version}`} from ${commit.slice(0, 12)}`)
}

/** Check the commit out in folders of our own, and take its recipe. Errors: RECIPE_NOT_FOUND, RECIPE_INVALID. */
export async function checkOutAgain(state: RebuildState): Promise<Outcome<string>> {
  const { options, places, git } = state
  const { record } = known(state.released)
  const { version, tag, previous, changes } = record
  const head = await readCommit(git, record.commit)
  // Not the name of a cut's folders: a cut of this clone clears away what killed cuts left, and needs no lock against us.
  await openFolders(state, path.join(places.commonFolder, 'rebuild'))
  const fileCount = await checkOutForTests(state, head)
  const { testCheckout, root } = known(state.workspace)
  const loaded = loadRecipe(findRecipe(testCheckout, options.recipe))
  const wanted = { version, tag, previous }
  state.prepared = { loaded, facts: { head }, wanted, changes, deltaBases: releasedBases(record) }
  state.output = openOutput(path.join(root, 'dist'), version)
  return done(`${fileCount} files`)
}

/** Set version and changelog as the cut did, and see whether that gives the tree of the release. */
export async function setVersionAgain(state: RebuildState): Promise<Outcome<string>> {
  const outcome = await setVersionAndChangelog(state)
  const { tree } = known(state.sources)
  const { tree: released } = known(state.released).record
  if (tree !== released) addDifference(state, 'sources', await treeDifferences(state, { released, rebuilt: tree }))
  return outcome
}

async function treeDifferences(
  state: RebuildState,
  trees: { readonly released: string; readonly rebuilt: string },
): Promise<readonly Difference[]> {
  const why = 'version files or changelog were edited in another way: another recipe or version of Cutover'
  const git = known(state.scratch).git
  const whole = [{ where: 'tree', ...trees, why }]
  // The tree of the release comes with its tag, and a snapshot has none.
  if (!(await git.ask(['rev-parse', '--quiet', '--verify', `${trees.released}^{tree}`]))) return whole
  const flags = ['-r', '-z', '--name-only', '--no-renames']
  const output = await git.run(['diff-tree', ...flags, trees.released, trees.rebuilt])
  return output.split('\0').flatMap(where => (where === '' ? [] : [{ where, ...trees, why }]))
}

async function readTree({ git }: RebuildState, revision: string): Promise<string | undefined> {
  const tree = `${revision}^{tree}`
  if (!(await git.ask(['rev-parse', '--quiet', '--verify', tree]))) return undefined
  return (await git.run(['rev-parse', '--verify', tree])).trim()
}

function addDifference(state: RebuildState, artifact: string, differences: readonly Difference[]): void {
  state.sourceComparisons.push({ artifact, result: 'differs', shown: differences, count: differences.length })
}

function missingSource({ places, released }: RebuildState, what: string, hint: string): ReleaseError {
  const { name, version } = known(released).record
  const message = `${places.root} has not ${what}, which ${name} ${version} was cut from`
  return new ReleaseError('REBUILD_SOURCE', message, { hint, details: { path: places.root, version } })
}

function releasedBases({ components }: ReleaseRecord): PreparedCut['deltaBases'] {
  return new Map(components.map(({ name, artifacts }) => [name, artifacts.filter(isDelta).map(({ from }) => from)]))
}
