import path from 'node:path'
import { commandText, runCommands } from '../build/commands.ts'
import { pinnedEnvironment } from '../build/environment.ts'
import { openOutput } from '../build/output.ts'
import { collectPython } from '../build/python.ts'
import { buildTree } from '../build/tree.ts'
import { openWorkspace } from '../build/workspace.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { runSteps, type Step } from '../core/step.ts'
import { proveEnvelope } from '../envelope/prove.ts'
import { findRecipe } from '../recipe/find.ts'
import { loadRecipe } from '../recipe/load.ts'
import type { RecipeCommand } from '../recipe/schema.ts'
import { writeSourceArchives } from '../source/archive.ts'
import { renderChanges } from '../source/changelog.ts'
import { normaliseCheckout, writeEdits } from '../source/checkout.ts'
import { readCommits } from '../source/commits.ts'
import { planEdits } from '../source/edits.ts'
import { findRepository, readFacts } from '../source/facts.ts'
import { gitIn } from '../source/git.ts'
import { checkReady, planVersion } from '../source/preflight.ts'
import { lockFile, publishRelease } from '../source/publish.ts'
import { openScratch } from '../source/scratch.ts'
import { takeLock } from '../sys/lock.ts'
import { makeDeb, makeImage, packRelease } from './cut-envelopes.ts'
import { finishKilledCuts } from './cut-leftovers.ts'
import { writeRecord } from './cut-record.ts'
import { reportCut, reportPlan } from './cut-report.ts'
import { type CutOptions, type CutState, known, mainEnvironment } from './cut-state.ts'
import { rehearse } from './rehearse.ts'
import type { FlowTools } from './tools.ts'

/** Everything that can fail comes before the last step: until then the repository is as it was. */
const steps: readonly Step<CutState, unknown>[] = [
  { name: 'preflight', required: true, run: preflight },
  { name: 'checkout', required: true, run: checkOut },
  // In a checkout of their own: what tests leave behind must not be shipped.
  { name: 'tests', required: false, run: runTests },
  { name: 'version', required: true, run: setVersionAndChangelog },
  // Before the build, which may change files of the checkout.
  { name: 'sources', required: true, run: archiveSources },
  { name: 'build', required: false, run: runBuild },
  { name: 'payload', required: true, run: packPayloadTree },
  { name: 'envelopes', required: false, run: makeEnvelopes },
  { name: 'python', required: false, run: collectDistributions },
  { name: 'read back', required: true, run: readBack },
  { name: 'record', required: true, run: record },
  { name: 'rehearse', required: true, run: rehearseRelease },
  { name: 'complete', required: true, run: completeOutput },
  { name: 'tag', required: false, run: tagRelease },
]

/**
 * Cut a release from the commit that HEAD is at: test, build, pack, read back, rehearse, tag.
 *
 * Post: `dist/VERSION` holds the release, and branch and tag mark it. Errors: those of the steps; LOCKED when another cut is under way.
 * Crash: before the last step the repository is as it was and the next cut clears away what is left; in it, the next cut finishes.
 */
export async function cut(options: CutOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const { environment } = options
  const places = await findRepository(gitIn(options.cwd, { environment, signal: tools.signal }))
  const git = gitIn(places.root, { environment, signal: tools.signal })
  const dist = options.output ?? path.join(places.root, 'dist')
  const state: CutState = { options, tools, git, places, dist, artifacts: [] }
  const run = { emit: tools.emit, nowMs: tools.clock.elapsedMs }
  const chosen = options.dryRun ? steps.slice(0, 1) : steps
  tools.emit({ kind: 'run-started', command: 'cut', subject: places.root, steps: chosen.map(step => step.name) })
  if (options.dryRun) {
    await runSteps(chosen, state, run)
    return reportPlan(
      state,
      steps.map(step => step.name),
      tools.clock.elapsedMs() - startedMs,
    )
  }
  using _lock = await takeLock(lockFile(places), { command: 'release cut' })
  await finishKilledCuts(git, places, tools)
  try {
    await runSteps(chosen, state, run)
  } catch (caught) {
    state.output?.discard()
    throw caught
  } finally {
    state.workspace?.[Symbol.dispose]()
  }
  reportCut(state, tools.clock.elapsedMs() - startedMs)
}

async function preflight(state: CutState): Promise<Outcome<string>> {
  const { options, places, git } = state
  const loaded = loadRecipe(findRecipe(places.root, options.recipe))
  const { source } = loaded.recipe
  const facts = await readFacts(git, places, { source, outputFolder: state.dist })
  const { version, snapshot } = options
  const wanted = planVersion(facts, { version, snapshot, tagPrefix: source.tagPrefix })
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
  state.prepared = { loaded, facts, wanted, changes }
  return done(`${loaded.recipe.name} ${wanted.version} from ${facts.head.commit.slice(0, 12)}`)
}

async function checkOut(state: CutState): Promise<Outcome<string>> {
  const { options, places, git, dist } = state
  const { facts, wanted } = known(state.prepared)
  const { commit, timeSeconds } = facts.head
  const workspace = openWorkspace(places.commonFolder, options.environment['HOME'])
  state.workspace = workspace
  const { environment } = options
  const scratch = await openScratch(git, places, { folder: workspace.git, environment, signal: state.tools.signal })
  state.scratch = scratch
  // A key that is missing or a passphrase that nobody types is found out now, not after the build.
  if (wanted.tag !== undefined) await scratch.writeTag({ name: `trial-${wanted.tag}`, commit, message: 'trial\n' })
  const files = await scratch.checkout(commit, workspace.testCheckout)
  normaliseCheckout(workspace.testCheckout, timeSeconds)
  state.output = openOutput(dist, wanted.version)
  return done(`${files.length} files`)
}

async function runTests(state: CutState): Promise<Outcome<string>> {
  const { tests } = known(state.prepared).loaded.recipe
  if (tests.length === 0) return skipped('CUT_NO_TESTS', 'the recipe names no tests')
  await runRecipeCommands(state, tests, { step: 'tests', checkout: known(state.workspace).testCheckout })
  return done(tests.map(commandText).join(', '))
}

async function setVersionAndChangelog(state: CutState): Promise<Outcome<string>> {
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

async function archiveSources(state: CutState): Promise<Outcome<string>> {
  const { loaded, facts, wanted } = known(state.prepared)
  const archives = await writeSourceArchives({
    checkout: known(state.workspace).buildCheckout,
    files: known(state.sources).files,
    name: loaded.recipe.name,
    version: wanted.version,
    timeSeconds: facts.head.timeSeconds,
    folder: known(state.output).partial,
  })
  state.artifacts.push(...archives.map(archive => ({ kind: 'source' as const, ...archive })))
  return done(archives.map(archive => archive.name).join(', '))
}

async function runBuild(state: CutState): Promise<Outcome<string>> {
  const { build } = known(state.prepared).loaded.recipe
  if (build.length === 0) return skipped('CUT_NO_BUILD', 'the recipe names nothing to build')
  await runRecipeCommands(state, build, { step: 'build', checkout: known(state.workspace).buildCheckout })
  return done(build.map(commandText).join(', '))
}

async function packPayloadTree(state: CutState): Promise<Outcome<string>> {
  const tree = buildTree(known(state.workspace).buildCheckout, known(state.prepared).loaded.recipe.payload)
  state.packed = await packRelease(state, tree)
  const { manifest, tarball } = state.packed
  return done(
    `${manifest.files.length} entries, ${formatBytes(manifest.tar.sizeBytes)} → ${formatBytes(tarball.sizeBytes)}`,
  )
}

async function makeEnvelopes(state: CutState): Promise<Outcome<string>> {
  const { deb, oci } = known(state.prepared).loaded.recipe.artifacts
  const made = [
    ...(deb === undefined ? [] : [await makeDeb(state, deb)]),
    ...(oci === undefined ? [] : [makeImage(state, oci)]),
  ]
  if (made.length === 0) return skipped('CUT_NO_ENVELOPES', 'the recipe asks for the tarball alone')
  state.artifacts.push(...made)
  return done(made.map(artifact => artifact.name).join(', '))
}

async function collectDistributions(state: CutState): Promise<Outcome<string>> {
  const { python } = known(state.prepared).loaded.recipe.artifacts
  if (python.length === 0) return skipped('CUT_NO_PYTHON', 'the recipe names no Python distributions')
  const files = await collectPython(known(state.workspace).buildCheckout, python, known(state.output).partial)
  state.artifacts.push(...files.map(file => ({ kind: 'python' as const, ...file })))
  return done(files.map(file => file.name).join(', '))
}

/** dpkg, aptly and reprepro publish packages that dpkg cannot unpack: each envelope is read as its readers will. */
async function readBack(state: CutState): Promise<Outcome<string>> {
  const { manifest } = known(state.packed)
  const envelopes = state.artifacts.filter(({ kind }) => kind === 'tarball' || kind === 'deb' || kind === 'oci')
  for (const { name } of envelopes) await proveEnvelope(path.join(known(state.output).partial, name), manifest)
  return done(`${envelopes.length} envelopes hold the same ${manifest.files.length} entries`)
}

function record(state: CutState): Outcome<string> {
  state.record = writeRecord(state)
  return done(`release.json with ${state.artifacts.length} artifacts, SHA256SUMS`)
}

async function rehearseRelease(state: CutState): Promise<Outcome<string>> {
  const { loaded, wanted } = known(state.prepared)
  return rehearse(
    {
      prefix: known(state.workspace).prefix,
      release: known(state.output).partial,
      dist: state.dist,
      record: known(state.record),
      previous: wanted.previous,
      recipe: loaded.recipe,
      environmentName: mainEnvironment(known(state.prepared)),
      environment: state.options.environment,
    },
    state.tools,
  )
}

async function completeOutput(state: CutState): Promise<Outcome<string>> {
  state.tools.signal.throwIfAborted()
  const output = known(state.output)
  await output.complete()
  return done(output.folder)
}

async function tagRelease(state: CutState): Promise<Outcome<string>> {
  const { loaded, facts, wanted } = known(state.prepared)
  if (wanted.tag === undefined) return skipped('CUT_SNAPSHOT', 'a snapshot is neither committed nor tagged')
  const { name, source } = loaded.recipe
  const { tree, changes, edits } = known(state.sources)
  const scratch = known(state.scratch)
  const from = facts.head.commit
  const message = `Release ${wanted.version}\n\n${changes}`
  const to = edits.length === 0 ? from : await scratch.writeCommit({ tree, parent: from, message })
  const tagMessage = `${name} ${wanted.version}\n\n${changes}`
  const tagObject = await scratch.writeTag({ name: wanted.tag, commit: to, message: tagMessage })
  const pending = { schema: 1, branch: source.branch, from, to, tag: wanted.tag, tagObject } as const
  const { left, unfinished } = await publishRelease(state.git, state.places, scratch, pending)
  if (left.length > 0)
    state.tools.emit({
      kind: 'warning',
      code: 'WORKTREE_LEFT',
      message: `changed while the release was made, and left alone: ${left.join(', ')}; see git status`,
    })
  if (unfinished !== undefined)
    state.tools.emit({
      kind: 'warning',
      code: 'WORKTREE_BEHIND',
      message: `the release is made, but your files could not follow: ${unfinished.message}; the next release command tries again`,
    })
  return done(`${wanted.tag} at ${to.slice(0, 12)}`)
}

async function runRecipeCommands(
  state: CutState,
  commands: readonly RecipeCommand[],
  at: { readonly step: string; readonly checkout: string },
): Promise<void> {
  const { facts, wanted } = known(state.prepared)
  const { home, temporary } = known(state.workspace)
  const environment = pinnedEnvironment({
    sourceDateEpoch: facts.head.timeSeconds,
    home,
    temporary,
    interpreterFolder: path.dirname(process.execPath),
    inherited: state.options.environment,
  })
  await runCommands(commands, {
    checkout: at.checkout,
    environment: { ...environment, CUTOVER_VERSION: wanted.version },
    signal: state.tools.signal,
    onLine: (stream, line) => state.tools.emit({ kind: 'output', step: at.step, stream, line }),
  })
}
