import path from 'node:path'
import { stableJson } from '../core/canonical-json.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { runSteps, type Step } from '../core/step.ts'
import { parseVersion } from '../core/version.ts'
import { type PayloadManifest, parseManifest } from '../payload/manifest.ts'
import { parseReleaseRecord, type ReleaseRecord } from '../payload/release-record.ts'
import { type TreeDifference, verifyTree } from '../payload/verify.ts'
import { type PrefixIdentity, readIdentity } from '../prefix/identity.ts'
import { readInstalledRecipe } from '../prefix/installed.ts'
import { readJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths, releasePaths } from '../prefix/layout.ts'
import { isOwnPath } from '../prefix/stage.ts'
import { isUsable, replay } from '../prefix/state.ts'
import { readFile } from '../sys/files.ts'
import { openRepository } from '../trust/client.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover verify` is asked for. */
export interface VerifyInstalledOptions {
  readonly prefix: string
  /** The active version when absent. */
  readonly version?: string | undefined
  /** Do not ask the repository. */
  readonly offline?: boolean | undefined
}

interface VerifyState {
  readonly options: VerifyInstalledOptions
  readonly tools: FlowTools
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly version: string
  /** The digest of the record, as the journal has it since the installation. */
  readonly recordDigest: string
  record?: ReleaseRecord
  manifest?: PayloadManifest
}

/** The chain from the journal to every file: each link holds the digest of the next. */
const steps: readonly Step<VerifyState, unknown>[] = [
  { name: 'record', required: true, run: checkRecord },
  { name: 'repository', required: false, run: checkRepository },
  { name: 'manifest', required: true, run: checkManifest },
  { name: 'files', required: true, run: checkFiles },
]

/**
 * Check an installed release: its record against the journal and the signed metadata, its manifest against the record, and every file
 * against the manifest.
 *
 * Errors: VERIFY_FAILED with what differs, VERIFY_NONE (no such version), PREFIX_UNKNOWN, TRUST_*.
 */
export async function verify(options: VerifyInstalledOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const state = beginVerify(options, tools)
  const subject = `${state.identity.application} ${state.version}`
  tools.emit({ kind: 'run-started', command: 'verify', subject, steps: steps.map(step => step.name) })
  await runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  tools.emit({
    kind: 'run-done',
    command: 'verify',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${subject} is what was signed`,
    result: { version: state.version, files: state.manifest!.files.length },
  })
}

function beginVerify(options: VerifyInstalledOptions, tools: FlowTools): VerifyState {
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  const installed = replay(readJournal(paths.journal))
  const version = options.version === undefined ? installed.active : parseVersion(options.version)
  if (version === undefined || !isUsable(installed, version)) {
    const known = [...installed.releases.keys()].filter(each => isUsable(installed, each))
    throw new ReleaseError('VERIFY_NONE', `${paths.root} has no ${version ?? 'active version'} to verify`, {
      hint: known.length === 0 ? 'install a version first' : `choose one of ${known.join(', ')}`,
      details: { version, known },
    })
  }
  const { recordDigest } = installed.releases.get(version)!
  return { options, tools, paths, identity, version, recordDigest }
}

function checkRecord(state: VerifyState): Outcome<string> {
  const file = releasePaths(state.paths, state.version).record
  const bytes = readFile(file)
  assertDigest(file, digestOf(bytes), state.recordDigest)
  state.record = parseReleaseRecord(bytes)
  return done(`as installed, ${state.recordDigest}`)
}

async function checkRepository(state: VerifyState): Promise<Outcome<string>> {
  if (state.options.offline === true) return skipped('OFFLINE', 'not asked, by --offline')
  const { repository, application } = state.identity
  const { signal } = state.tools
  try {
    const view = openRepository({ folder: state.paths.trust, repositoryUrl: repository, signal })
    const { digest } = await view.record(application, state.version)
    assertDigest(`${repository}, ${application} ${state.version}`, digest, state.recordDigest)
    return done(`signed by ${repository}`)
  } catch (caught) {
    const isUnreachable = caught instanceof ReleaseError && caught.code === 'HTTP_FAILED'
    if (!isUnreachable) throw caught
    state.tools.emit({
      kind: 'warning',
      code: caught.code,
      message: `the signature was not checked: ${caught.message}`,
    })
    return skipped('HTTP_FAILED', 'the repository does not answer')
  }
}

function checkManifest(state: VerifyState): Outcome<string> {
  const file = releasePaths(state.paths, state.version).manifest
  const bytes = readFile(file)
  const artifact = state.record!.components[0]?.artifacts.find(each => each.kind === 'manifest')
  if (artifact === undefined)
    throw new ReleaseError('RECORD_INVALID', `the record of ${state.version} names no manifest`)
  assertDigest(file, digestOf(bytes), artifact.digest)
  state.manifest = parseManifest(bytes)
  // The copy that services are run by.
  const { recipe } = releasePaths(state.paths, state.version)
  assertDigest(recipe, digestOf(readFile(recipe)), digestOf(stableJson(state.manifest.recipe)))
  return done(artifact.digest)
}

async function checkFiles(state: VerifyState): Promise<Outcome<string>> {
  const { paths, version, tools } = state
  const { node } = readInstalledRecipe(paths, version)
  const isPython = node.runtime.kind === 'python'
  const difference = await verifyTree(releasePaths(paths, version).root, state.manifest!, {
    signal: tools.signal,
    ignore: found => isOwnPath(found) || (isPython && path.basename(found) === '__pycache__'),
    onProgress: (doneFiles, total) =>
      tools.emit({ kind: 'progress', step: 'files', what: 'files', unit: 'files', done: doneFiles, total }),
  })
  assertSame(state, difference, node.setup.length > 0)
  return done(`${state.manifest!.files.length} files and folders`)
}

function assertSame(state: VerifyState, difference: TreeDifference, maySetupAdd: boolean): void {
  const { missing, changed, extra } = difference
  if (maySetupAdd && extra.length > 0) {
    const message = `${extra.length} paths are not of the payload, made by setup as it seems: ${shown(extra)}`
    state.tools.emit({ kind: 'warning', code: 'VERIFY_EXTRA', message })
  }
  const differing = [
    ...missing.map(name => `missing: ${name}`),
    ...changed.map(name => `changed: ${name}`),
    ...(maySetupAdd ? [] : extra.map(name => `not of the payload: ${name}`)),
  ]
  if (differing.length === 0) return
  const folder = releasePaths(state.paths, state.version).root
  throw new ReleaseError(
    'VERIFY_FAILED',
    [`${folder} differs from ${state.version} in ${differing.length} paths`, ...differing.slice(0, shownPaths)].join(
      '\n',
    ),
    {
      hint: 'install another version, remove this one, and install it again',
      details: { path: folder, missing, changed, extra },
    },
  )
}

const shownPaths = 20

function shown(paths: readonly string[]): string {
  return `${paths.slice(0, 5).join(', ')}${paths.length > 5 ? ', …' : ''}`
}

function assertDigest(place: string, found: Digest, expected: string): void {
  if (found === expected) return
  throw new ReleaseError('VERIFY_FAILED', `${place} has ${found}, expected ${expected}`, {
    details: { path: place, found, expected },
  })
}
