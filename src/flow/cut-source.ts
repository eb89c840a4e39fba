import { openOutput } from '../build/output.ts'
import { openWorkspace } from '../build/workspace.ts'
import { done, type Outcome } from '../core/outcome.ts'
import { known } from '../core/step.ts'
import { componentsOf } from '../recipe/components.ts'
import { findRecipe } from '../recipe/find.ts'
import { loadRecipe } from '../recipe/load.ts'
import type { Recipe } from '../recipe/schema.ts'
import { writeSourceArchives } from '../source/archive.ts'
import { renderChanges } from '../source/changelog.ts'
import { normaliseCheckout, writeEdits } from '../source/checkout.ts'
import { readCommits } from '../source/commits.ts'
import { planEdits } from '../source/edits.ts'
import { type CommitFacts, type RepositoryFacts, readFacts } from '../source/facts.ts'
import { checkReady, planVersion, releasesBefore, type Wanted } from '../source/preflight.ts'
import { openScratch, type Scratch } from '../source/scratch.ts'
import { assertBasesLocked } from './cut-image.ts'
import type { CutState, PreparedCut, RequestedCut } from './cut-state.ts'

/** Read recipe and repository, decide version and tag, and make sure that a release can be cut. Errors: those of the recipe and of preflight.ts. */
export async function preflight(state: RequestedCut): Promise<Outcome<string>> {
  const { options, places, git } = state
  const loaded = loadRecipe(findRecipe(places.root, options.recipe))
  const { source } = loaded.recipe
  assertBasesLocked(loaded)
  const facts = await readFacts(git, places, { source, outputFolder: state.dist })
  const { version, snapshot, local } = options
  const wanted = planVersion(facts, { version, snapshot, local, tagPrefix: source.tagPrefix })
  checkReady(facts, wanted, source)
  if (facts.remote.kind === 'unreachable')
    state.tools.emit({
      kind: 'warning',
      code: 'REMOTE_UNREACHABLE',
      message: `${source.remote} was not asked: ${facts.remote.reason}`,
    })
  const { previous } = wanted
  const from = previous === undefined ? undefined : `refs/tags/${source.tagPrefix}${previous}`
  const changes = renderChanges(await readCommits(git, { from, to: facts.head.commit }), {
    first: previous === undefined,
  })
  state.prepared = { loaded, facts, wanted, changes, deltaBases: planBases(loaded.recipe, wanted, facts) }
  return done(`${loaded.recipe.name} ${wanted.version} from ${facts.head.commit.slice(0, 12)}`)
}

/** Make the temporary folders, the scratch repository and a clean checkout for the tests. */
export async function checkOut(state: CutState): Promise<Outcome<string>> {
  const { places, dist } = state
  const { facts, wanted } = known(state.prepared)
  const { commit } = facts.head
  const scratch = await openFolders(state, places.commonFolder)
  // A key that is missing or a passphrase that nobody types is found out now, not after the build.
  if (wanted.tag !== undefined) await scratch.writeTag({ name: `trial-${wanted.tag}`, commit, message: 'trial\n' })
  const fileCount = await checkOutForTests(state, facts.head)
  state.output = openOutput(dist, wanted.version)
  return done(`${fileCount} files`)
}

/** Make the temporary folders, named after `owner`, and the scratch repository in them. */
export async function openFolders(state: CutState, owner: string): Promise<Scratch> {
  const { options, places, git, tools } = state
  const { environment } = options
  const workspace = openWorkspace(owner, environment['HOME'])
  state.workspace = workspace
  const scratch = await openScratch(git, places, { folder: workspace.git, environment, signal: tools.signal })
  state.scratch = scratch
  return scratch
}

/** Make a clean checkout of a commit as it is, and count its files. */
export async function checkOutForTests(
  state: CutState,
  { commit, timeSeconds }: Pick<CommitFacts, 'commit' | 'timeSeconds'>,
): Promise<number> {
  const { testCheckout } = known(state.workspace)
  const files = await known(state.scratch).checkout(commit, testCheckout)
  normaliseCheckout(testCheckout, timeSeconds)
  return files.length
}

/** Make a second clean checkout with version files and changelog as the release commit will have them. */
export async function setVersionAndChangelog(state: CutState): Promise<Outcome<string>> {
  const { loaded, facts, wanted, changes } = known(state.prepared)
  const { commit, timeSeconds } = facts.head
  const { buildCheckout } = known(state.workspace)
  const scratch = known(state.scratch)
  const committed = await scratch.checkout(commit, buildCheckout)
  const planned = planEdits(buildCheckout, loaded.recipe.source, { version: wanted.version, timeSeconds, changes })
  writeEdits(buildCheckout, planned.edits)
  normaliseCheckout(buildCheckout, timeSeconds)
  const tree = await scratch.writeTree(commit, planned.edits)
  const added = planned.edits.map(edit => edit.path).filter(file => !committed.some(other => other.path === file))
  const files = [...committed, ...added.map(file => ({ path: file, mode: '100644' as const }))]
  state.sources = { ...planned, tree, files }
  return done(planned.edits.length === 0 ? 'no file changes' : planned.edits.map(edit => edit.path).join(', '))
}

/** Archive the sources of the release, before the build changes files of the checkout. */
export async function archiveSources(state: CutState): Promise<Outcome<string>> {
  const { loaded, facts, wanted } = known(state.prepared)
  const archives = await writeSourceArchives({
    checkout: known(state.workspace).buildCheckout,
    files: known(state.sources).files,
    name: loaded.recipe.name,
    version: wanted.version,
    timeSeconds: facts.head.timeSeconds,
    folder: known(state.output).partial,
  })
  state.early.push(...archives.map(archive => ({ kind: 'source' as const, ...archive })))
  return done(archives.map(archive => archive.name).join(', '))
}

/** A snapshot is tried out and thrown away: deltas to it would cost more than they save. */
function planBases(recipe: Recipe, { version, tag }: Wanted, { releases }: RepositoryFacts): PreparedCut['deltaBases'] {
  const before = tag === undefined ? [] : releasesBefore(version, releases)
  return new Map(componentsOf(recipe).map(({ name, payload }) => [name, before.slice(0, payload.deltas)]))
}
