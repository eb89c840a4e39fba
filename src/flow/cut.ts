import path from 'node:path'
import { runSteps, type Step } from '../core/step.ts'
import { findRepository } from '../source/facts.ts'
import { gitIn } from '../source/git.ts'
import { lockFile } from '../source/publish.ts'
import { takeLock } from '../sys/lock.ts'
import { cacheFolder } from './cache-folder.ts'
import { collectDistributions, makeEnvelopes, readBack, runBuild, runTests } from './cut-build.ts'
import { makeDeltas } from './cut-deltas.ts'
import { makeProvenance, makeSboms } from './cut-evidence.ts'
import { finishKilledCuts } from './cut-leftovers.ts'
import { packPayloads } from './cut-payload.ts'
import { completeOutput, record, rehearseRelease, tagRelease } from './cut-publish.ts'
import { reportCut, reportFinished, reportPlan } from './cut-report.ts'
import { archiveSources, checkOut, preflight, setVersionAndChangelog } from './cut-source.ts'
import type { CutOptions, RequestedCut } from './cut-state.ts'
import type { FlowTools } from './tools.ts'

/** Everything that can fail comes before the last step: until then the repository is as it was. */
const steps: readonly Step<RequestedCut, unknown>[] = [
  { name: 'preflight', required: true, run: preflight },
  { name: 'checkout', required: true, run: checkOut },
  // In a checkout of their own: what tests leave behind must not be shipped.
  { name: 'tests', required: false, run: runTests },
  { name: 'version', required: true, run: setVersionAndChangelog },
  // Before the build, which may change files of the checkout.
  { name: 'sources', required: true, run: archiveSources },
  { name: 'build', required: false, run: runBuild },
  { name: 'payload', required: true, run: packPayloads },
  { name: 'envelopes', required: false, run: makeEnvelopes },
  // It tells of the base of an image, and refers to the image.
  { name: 'sbom', required: true, run: makeSboms },
  { name: 'deltas', required: false, run: makeDeltas },
  { name: 'python', required: false, run: collectDistributions },
  { name: 'read back', required: true, run: readBack },
  // When all is made that it is about.
  { name: 'provenance', required: true, run: makeProvenance },
  { name: 'record', required: true, run: record },
  { name: 'rehearse', required: true, run: rehearseRelease },
  { name: 'complete', required: true, run: completeOutput },
  { name: 'tag', required: false, run: tagRelease },
]

/** What is for others than the machine that installs its own snapshot: they try it out, publish it, or read of it. */
const othersSteps: ReadonlySet<Step<RequestedCut, unknown>['run']> = new Set([
  ...[runTests, archiveSources, makeEnvelopes, makeSboms, makeDeltas, collectDistributions, makeProvenance],
  ...[rehearseRelease, tagRelease],
])

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
  const cache = cacheFolder(environment)
  const segmentCache = cache === undefined ? undefined : { folder: path.join(cache, 'segments') }
  const state: RequestedCut = { options, tools, git, places, dist, segmentCache, early: [] }
  const run = { emit: tools.emit, nowMs: tools.clock.elapsedMs }
  const all = options.local === true ? steps.filter(step => !othersSteps.has(step.run)) : steps
  const chosen = options.dryRun ? steps.slice(0, 1) : all
  tools.emit({ kind: 'run-started', command: 'cut', subject: places.root, steps: chosen.map(step => step.name) })
  if (options.dryRun) {
    await runSteps(chosen, state, run)
    return reportPlan(
      state,
      all.map(step => step.name),
      tools.clock.elapsedMs() - startedMs,
    )
  }
  using _lock = await takeLock(lockFile(places), { command: 'release cut' })
  const finished = await finishKilledCuts(git, places, tools)
  if (finished !== undefined && finished.version === options.version)
    return reportFinished(state, finished, tools.clock.elapsedMs() - startedMs)
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
