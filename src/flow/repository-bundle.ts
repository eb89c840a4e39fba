import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type Digest, Digester, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import {
  type BundleFile,
  type BundleSource,
  bundledFiles,
  deltaBases,
  openBundleSource,
  sorted,
} from '../repository/bundle.ts'
import { type WrittenBundle, writeBundle } from '../repository/bundle-writer.ts'
import { openKeys } from '../repository/keys/folder.ts'
import { applicationsOf } from '../repository/state.ts'
import type { TargetReader } from '../repository/target.ts'
import { openTarget } from '../repository/targets/open.ts'
import { bundleAddress } from '../sys/bundle-file.ts'
import { open, resolveUrl } from '../sys/http.ts'
import { type BundleContents, bundleContentsBytes, bundleContentsKey } from '../trust/bundle.ts'
import { parseFingerprint, pinRoot } from '../trust/client.ts'
import type { ReleaseIndex } from '../trust/layout.ts'
import { assertDeltas, assertUnderstood, type BundleOrder, type ChosenRelease, chooseListed } from './bundle-choice.ts'
import { type ApplicationOptions, chooseApplication } from './chosen-application.ts'
import { resolveFromBundle } from './install-bundle.ts'
import { type Clone, findClone, isFolder, keysFolder, repositoryPlace } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What to put into a bundle, and where. No keys are needed; where they are, the repository's root must be theirs. */
export interface RepositoryBundleOptions extends ApplicationOptions, BundleOrder {
  /** The file to make, absolute. */
  readonly output: string
  /** The fingerprint that one of the repository's roots must have. */
  readonly fingerprint?: string | undefined
}

/** What `release bundle` made; the `result` of its last event. */
export interface BundleResult {
  readonly file: string
  readonly sizeBytes: number
  /** Of the whole file, for whoever carries it. */
  readonly digest: Digest
  readonly application: string
  readonly versions: readonly string[]
  readonly fingerprint: Digest
  /** When a server believes it no more: milliseconds since 1970. */
  readonly expiresMs: number
  readonly files: readonly { readonly key: string; readonly sizeBytes: number; readonly digest: Digest }[]
}

interface BundleState {
  readonly options: RepositoryBundleOptions
  readonly tools: FlowTools
  readonly clone: Clone | undefined
  readonly target: TargetReader
  readonly place: string
  /** metadata */
  source?: BundleSource
  /** The root that is believed, and until when all metadata is. */
  fingerprint?: Digest
  application?: string
  index?: ReleaseIndex
  expiresMs?: number
  /** releases */
  releases?: readonly ChosenRelease[]
  files?: readonly BundleFile[]
  /** write */
  written?: WrittenBundle
}

/** The file takes its name when a node has read it. */
const steps: readonly Step<BundleState, unknown>[] = [
  { name: 'metadata', required: true, run: readMetadata },
  { name: 'releases', required: true, run: chooseFiles },
  { name: 'write', required: true, run: write },
  { name: 'read back', required: true, run: readBack },
  { name: 'complete', required: true, run: complete },
]

/**
 * Make one file with all that a server needs to install releases without a network: signed metadata, records, manifests and payloads.
 *
 * Post: the file was read back as a server reads it; the same state of the repository gives the same bytes.
 * Errors: USAGE, RELEASE_UNKNOWN, CHANNEL_UNKNOWN, METADATA_EXPIRING, REPOSITORY_*, TARGET_*, TRUST_*, FILE_IO, FILE_NO_SPACE.
 * Crash: what had the name before is still there; at worst a `.NAME.XXXX.tmp` beside it.
 */
export async function bundleReleases(options: RepositoryBundleOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  assertUnderstood(options)
  const { cwd, environment, output } = options
  const clone = await findClone(options, tools)
  const place = await repositoryPlace(options, clone)
  const state: BundleState = { options, tools, clone, place, target: openTarget(place, { cwd, environment }) }
  tools.emit({ kind: 'run-started', command: 'bundle', subject: output, steps: steps.map(step => step.name) })
  try {
    await runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  } finally {
    state.written?.[Symbol.dispose]()
  }
  tellBundle(state, startedMs)
}

async function readMetadata(state: BundleState): Promise<Outcome<string>> {
  const { options, clone, target, tools } = state
  const source = await openBundleSource(target)
  state.source = source
  state.fingerprint = await believedRoot(state, source)
  const application = chooseApplication(options, clone, applicationsOf(source.view))
  const { index, expiresMs } = await source.gather(application)
  if (expiresMs <= tools.clock.nowMs()) {
    throw new ReleaseError('METADATA_EXPIRING', `the metadata of ${target.name} expired ${isoDate(expiresMs)}`, {
      details: { path: target.name, expiresMs },
    })
  }
  Object.assign(state, { application, index, expiresMs })
  return done(`${application}, believed until ${isoDate(expiresMs)}`)
}

/** The root that was asked for, else that of the keys which are set up here, else the newest as it comes. */
async function believedRoot(state: BundleState, { roots, view }: BundleSource): Promise<Digest> {
  const { options, target, tools } = state
  const newest = known(roots.at(-1))
  const expected =
    options.fingerprint === undefined
      ? await rootOfKeys(state, view.description.name)
      : parseFingerprint(options.fingerprint)
  if (expected === undefined) {
    tools.emit({ kind: 'note', message: `the root of ${target.name} is believed as it comes: ${newest}` })
    return newest
  }
  if (roots.includes(expected)) return expected
  throw new ReleaseError(
    'TRUST_PIN',
    `the root of ${target.name} has the fingerprint ${newest}, expected ${expected}`,
    {
      details: { repository: target.name, found: newest, expected },
    },
  )
}

async function rootOfKeys({ options, clone, place }: BundleState, name: string): Promise<Digest | undefined> {
  const folder = await keysFolder(options, clone, name)
  if (!fs.existsSync(folder)) return undefined
  const repository = isFolder(place) ? place : undefined
  const root = openKeys(folder, { repository, create: false }).trustedRoot()
  return root === undefined ? undefined : digestOf(root)
}

async function chooseFiles(state: BundleState): Promise<Outcome<string>> {
  const { options, target } = state
  const source = known(state.source)
  const application = known(state.application)
  const chosen = chooseListed(known(state.index), options, target.name)
  const releases: ChosenRelease[] = []
  for (const listed of chosen) releases.push({ listed, record: await source.record(application, listed) })
  assertDeltas(releases, options.deltasFrom)
  const payload = releases.flatMap(({ listed, record }) => bundledFiles(record, listed, options.deltasFrom))
  const contents: BundleContents = {
    schema: 1,
    application,
    repository: source.view.description.url,
    releases: releases.map(({ record }) => ({
      version: record.version,
      deltas: deltaBases(record).flatMap(from => (options.deltasFrom.includes(from) ? [{ from }] : [])),
    })),
  }
  const bytes = bundleContentsBytes(contents)
  const first = { key: bundleContentsKey, bytes, sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
  state.releases = releases
  state.files = [first, ...sorted([...source.files(), ...payload])]
  return done(`${chosen.map(({ version }) => version).join(', ')}: ${state.files.length} files`)
}

async function write(state: BundleState): Promise<Outcome<string>> {
  const { options, target, tools } = state
  const files = known(state.files)
  const total = files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const written = await writeBundle(options.output, {
    files,
    target,
    mtimeSeconds: Math.max(...known(state.releases).map(({ record }) => record.sourceDateEpoch)),
    signal: tools.signal,
    onProgress: (what, doneBytes) =>
      tools.emit({ kind: 'progress', step: 'write', what: path.basename(what), unit: 'bytes', done: doneBytes, total }),
  })
  state.written = written
  return done(formatBytes(written.sizeBytes))
}

/** Everything is read from the file and from nowhere else, beginning with nothing but the fingerprint of the root. */
async function readBack(state: BundleState): Promise<Outcome<string>> {
  const { tools } = state
  const { temporary } = known(state.written)
  const trustFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bundle-'))
  try {
    await pinRoot({
      folder: trustFolder,
      repositoryUrl: bundleAddress(temporary),
      fingerprint: known(state.fingerprint),
    })
    const resolver = resolveFromBundle({ file: temporary, trustFolder }, tools.signal)
    for (const { record } of known(state.releases)) {
      const { manifest } = await resolver.release(record.name, record.version)
      await manifest()
    }
  } finally {
    fs.rmSync(trustFolder, { recursive: true, force: true })
  }
  for (const file of known(state.files)) await assertReadable(temporary, file, tools.signal)
  return done('verified as by a server that has pinned the root')
}

async function assertReadable(bundle: string, { key, digest }: BundleFile, signal: AbortSignal): Promise<void> {
  const digester = new Digester()
  const opened = await open(resolveUrl(bundleAddress(bundle), key), { signal })
  for await (const piece of opened?.body ?? []) digester.update(piece)
  const found = digester.digest()
  if (found === digest) return
  throw new ReleaseError('BUNDLE_INVALID', `${key} in ${bundle} reads as ${found}, expected ${digest}`, {
    hint: 'look at the disk that it is written to',
    details: { path: bundle, key, found, expected: digest },
  })
}

function complete(state: BundleState): Outcome<string> {
  known(state.written).complete()
  return done(state.options.output)
}

function tellBundle(state: BundleState, startedMs: number): void {
  const { options, tools } = state
  const { sizeBytes, digest } = known(state.written)
  const files = known(state.files).map(file => ({ key: file.key, sizeBytes: file.sizeBytes, digest: file.digest }))
  const result: BundleResult = {
    file: options.output,
    sizeBytes,
    digest,
    application: known(state.application),
    versions: known(state.releases).map(({ record }) => record.version),
    fingerprint: known(state.fingerprint),
    expiresMs: known(state.expiresMs),
    files,
  }
  tools.emit({
    kind: 'table',
    title: options.output,
    columns: ['File', 'Size', 'Digest'],
    rows: files.map(file => [file.key, formatBytes(file.sizeBytes), file.digest]),
  })
  tools.emit({
    kind: 'table',
    title: 'Bundle',
    columns: ['', ''],
    rows: [
      ['releases', `${result.application} ${result.versions.join(', ')}`],
      ['size', formatBytes(sizeBytes)],
      ['digest', digest],
      ['root fingerprint', result.fingerprint],
      ['believed until', isoDate(result.expiresMs)],
      ['on the server', `cutover install --from ${path.basename(options.output)}`],
    ],
  })
  const durationMs = tools.clock.elapsedMs() - startedMs
  const message = `${result.application} ${result.versions.join(', ')} can be installed from ${options.output} until ${isoDate(result.expiresMs)}`
  tools.emit({ kind: 'run-done', command: 'bundle', changed: true, durationMs, message, result })
}

function isoDate(ms: number): string {
  return new Date(ms).toISOString()
}
