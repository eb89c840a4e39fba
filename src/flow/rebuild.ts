import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { compareReleases } from '../comparison/release.ts'
import { done, type Outcome } from '../core/outcome.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import { findRepository } from '../source/facts.ts'
import { gitIn } from '../source/git.ts'
import { collectDistributions, makeEnvelopes, runBuild } from './cut-build.ts'
import { makeProvenance, makeSboms } from './cut-evidence.ts'
import { packPayloads } from './cut-payload.ts'
import { record } from './cut-publish.ts'
import { archiveSources } from './cut-source.ts'
import { makeDeltasAgain } from './rebuild-deltas.ts'
import { compareTools, readReleased, verifiedFiles } from './rebuild-released.ts'
import { reportRebuild } from './rebuild-report.ts'
import { checkOutAgain, findCommit, setVersionAgain } from './rebuild-source.ts'
import type { RebuildOptions, RebuildState } from './rebuild-state.ts'
import { openVerification, verificationSteps } from './repository-verify.ts'
import type { FlowTools } from './tools.ts'

const reading: readonly Step<RebuildState, unknown>[] = [
  // Nothing is refused: what was changed after the cut is what somebody wants to be told.
  { name: 'read the release', required: true, run: readReleased },
]

/** The steps of a cut that make artifacts, in its order; tests, rehearsal and tag have nothing to do with the bytes. */
const rebuilding: readonly Step<RebuildState, unknown>[] = [
  { name: 'find the commit', required: true, run: findCommit },
  { name: 'checkout', required: true, run: checkOutAgain },
  // Told before the build, which may take long: other tools make other bytes.
  { name: 'compare the tools', required: true, run: compareTools },
  { name: 'version', required: true, run: setVersionAgain },
  { name: 'sources', required: true, run: archiveSources },
  { name: 'build', required: false, run: runBuild },
  { name: 'payload', required: true, run: packPayloads },
  { name: 'envelopes', required: false, run: makeEnvelopes },
  { name: 'sbom', required: true, run: makeSboms },
  { name: 'deltas', required: false, run: makeDeltasAgain },
  { name: 'python', required: false, run: collectAgain },
  { name: 'provenance', required: true, run: makeProvenance },
  { name: 'record', required: true, run: record },
  { name: 'compare with the release', required: true, run: compare },
]

/**
 * Build a release again from its tag, and compare it with what was published, or with a release in `dist`.
 *
 * Post: clone and `dist` are as they were, temporary files are gone. Errors: those of a verification unless `distFolder` is given; those of the
 * steps of a cut; REBUILD_SOURCE, REBUILD_DIFFERS.
 */
export async function rebuildRelease(options: RebuildOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const run = { emit: tools.emit, nowMs: tools.clock.elapsedMs }
  const state = await openRebuild(options, tools)
  const first = options.distFolder === undefined ? verificationSteps : reading
  const steps = [...first, ...rebuilding].map(step => step.name)
  tools.emit({ kind: 'run-started', command: 'verify', subject: `${options.version} by building it again`, steps })
  const verification = options.distFolder === undefined ? openVerification(options, tools) : undefined
  try {
    if (verification === undefined) await runSteps(reading, state, run)
    else {
      await runSteps(verificationSteps, verification, run)
      state.released = verifiedFiles(verification)
    }
    await runSteps(rebuilding, state, run)
  } finally {
    state.workspace?.[Symbol.dispose]()
    if (verification !== undefined) fs.rmSync(verification.scratch, { recursive: true, force: true })
  }
  reportRebuild(state, tools.clock.elapsedMs() - startedMs)
}

async function openRebuild(options: RebuildOptions, tools: FlowTools): Promise<RebuildState> {
  const { cwd, environment } = options
  const places = await findRepository(gitIn(cwd, { environment, signal: tools.signal }))
  const git = gitIn(places.root, { environment, signal: tools.signal })
  const dist = options.distFolder ?? path.join(places.root, 'dist')
  return { options, tools, git, places, dist, early: [], missingTools: [], taken: new Map(), sourceComparisons: [] }
}

/** A distribution that differs from the one of the release before ends a cut; here it is a difference to be told. */
function collectAgain(state: RebuildState): Promise<Outcome<string>> {
  return collectDistributions({ ...state, dist: path.dirname(known(state.output).folder) })
}

async function compare(state: RebuildState): Promise<Outcome<string>> {
  const { partial } = known(state.output)
  const rebuilt = {
    record: known(state.record),
    placeOf: ({ name }: { readonly name: string }) => path.join(partial, name),
    taken: state.taken,
  }
  const facts = {
    folders: [known(state.workspace).root],
    machine: os.hostname(),
    nowSeconds: Math.floor(state.tools.clock.nowMs() / 1000),
  }
  const compared = await compareReleases({ released: known(state.released), rebuilt }, facts)
  state.comparisons = [...state.sourceComparisons, ...compared]
  const differing = state.comparisons.filter(({ result }) => result === 'differs')
  const equalCount = compared.filter(({ result }) => result === 'equal').length
  return done(differing.length === 0 ? `${equalCount} artifacts are equal` : `${differing.length} differ`)
}
