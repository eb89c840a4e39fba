import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Digest, Digester, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import { proveEnvelope } from '../envelope/prove.ts'
import { parseManifest } from '../payload/manifest.ts'
import type { Artifact, ReleaseComponent, ReleaseRecord } from '../payload/release-record.ts'
import { verifyListed } from '../repository/apt/verify.ts'
import { artifactsOf } from '../repository/artifacts.ts'
import { offered } from '../repository/channels.ts'
import { parseDescription } from '../repository/description.ts'
import { filesOf, type ReleaseFile } from '../repository/dist.ts'
import { renderLayout } from '../repository/oci/layout.ts'
import { assertTagged } from '../repository/oci/verify.ts'
import { applicationsOf, type RepositoryView } from '../repository/state.ts'
import { open, resolveUrl } from '../sys/http.ts'
import { openRepository, parseFingerprint, pinRoot, type TrustedRepository } from '../trust/client.ts'
import { ociFolder, poolKey, type ReleaseIndex, type RepositoryDescription, repositoryFile } from '../trust/layout.ts'
import { findClone, isFolder, openPublisher, type PublisherOptions, viewOf } from './publisher.ts'
import { fetchFile, missingFile } from './repository-file.ts'
import type { FlowTools } from './tools.ts'
import { checkProvenance, checkSboms } from './verify-evidence.ts'

/** Which release to verify, and from where. */
export interface RepositoryVerifyOptions extends PublisherOptions {
  readonly version: string
  /** Found out when the repository has only one. */
  readonly application?: string | undefined
  /** An address to read from instead of the folder: a mirror, or what a web server makes of it. */
  readonly url?: string | undefined
  /** The fingerprint of the root; that of the keys folder's trusted root when absent. */
  readonly fingerprint?: string | undefined
}

/** Where trust begins. */
interface Anchor {
  readonly url: string
  readonly fingerprint: string
  readonly application: string
  readonly description: Pick<RepositoryDescription, 'aptKey' | 'channels' | 'apt'>
}

/** What the steps of a verification hand on. */
export interface VerifyState {
  readonly options: RepositoryVerifyOptions
  readonly tools: FlowTools
  /** A temporary folder: files are in it under their keys. */
  readonly scratch: string
  anchor?: Anchor
  client?: TrustedRepository
  record?: ReleaseRecord
  index?: ReleaseIndex
}

const maxDescriptionBytes = 64 * 1024
const maxLayoutBytes = 64 * 1024 * 1024

/** From the root's signature to what apt and podman see: whoever goes on from here works with verified files. */
export const verificationSteps: readonly Step<VerifyState, unknown>[] = [
  // Everything else hangs on this one file.
  { name: 'pin the root', required: true, run: pin },
  { name: 'verify the record', required: true, run: verifyRecord },
  // Every byte, as any client gets it.
  { name: 'fetch the files', required: true, run: fetchFiles },
  // What different readers unpack is the same.
  { name: 'compare the envelopes', required: false, run: compareEnvelopes },
  { name: 'read the SBOM', required: false, run: checkSboms },
  { name: 'check the provenance', required: false, run: checkProvenance },
  { name: 'look it up as apt', required: false, run: lookUpAsApt },
  { name: 'look it up as podman', required: false, run: lookUpAsPodman },
]

/**
 * Check a published release as its clients would, from the root's signature to the files in its envelopes.
 *
 * Post: nothing was changed, temporary files are gone. Errors: TRUST_*, RELEASE_UNKNOWN, ENVELOPE_MISMATCH, EVIDENCE_*, REPOSITORY_DAMAGED.
 */
export async function verifyRelease(options: RepositoryVerifyOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const state = openVerification(options, tools)
  const names = verificationSteps.map(step => step.name)
  tools.emit({ kind: 'run-started', command: 'verify', subject: options.version, steps: names })
  try {
    await runSteps(verificationSteps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  } finally {
    fs.rmSync(state.scratch, { recursive: true, force: true })
  }
  const { name, version } = known(state.record)
  tools.emit({
    kind: 'run-done',
    command: 'verify',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${name} ${version} is what was signed`,
    result: { application: name, version, url: known(state.anchor).url },
  })
}

/** Begin a verification. Post: its folder `scratch` exists, and is the caller's to remove. */
export function openVerification(options: RepositoryVerifyOptions, tools: FlowTools): VerifyState {
  return { options, tools, scratch: fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-verify-')) }
}

async function pin(state: VerifyState): Promise<Outcome<string>> {
  const anchor = await findAnchor(state)
  const folder = path.join(state.scratch, 'trust')
  await pinRoot({ folder, repositoryUrl: anchor.url, fingerprint: anchor.fingerprint })
  state.anchor = anchor
  state.client = openRepository({ folder, repositoryUrl: anchor.url, signal: state.tools.signal })
  return done(anchor.fingerprint)
}

/** Without the publisher's folders, address and fingerprint stand for them, as on a server. */
async function findAnchor({ options, tools }: VerifyState): Promise<Anchor> {
  const { url, application, version } = options
  const fingerprint = options.fingerprint === undefined ? undefined : parseFingerprint(options.fingerprint)
  if (url !== undefined && fingerprint !== undefined && application !== undefined) {
    const description = parseDescription(await fetchFile(url, repositoryFile, maxDescriptionBytes), url)
    return { url, fingerprint, application, description }
  }
  const publisher = await openPublisher(options, await findClone(options, tools))
  const view = await viewOf(publisher)
  return {
    url: url ?? publishedAt(publisher.place, view.description),
    fingerprint: fingerprint ?? digestOf(publisher.trustedRoot),
    application: application ?? (await soleApplication(view, publisher.place, version)),
    description: view.description,
  }
}

/** A folder is read itself. What is behind a server is read where clients are told to: they have no credentials, and do not speak to object stores. */
function publishedAt(place: string, { url }: Pick<RepositoryDescription, 'url'>): string {
  if (isFolder(place)) return pathToFileURL(place).href
  return place.startsWith('file:') ? place : url
}

async function soleApplication(view: RepositoryView, place: string, version: string): Promise<string> {
  const names = applicationsOf(view)
  const having: string[] = []
  for (const name of names) {
    if ((await view.index(name)).releases.some(release => release.version === version)) having.push(name)
  }
  const [only, ...others] = having.length === 0 ? names : having
  if (only !== undefined && others.length === 0) return only
  if (having.length === 0) {
    throw new ReleaseError('RELEASE_UNKNOWN', `no application in ${place} has a release ${version}`, {
      hint: '`release list` shows all',
      details: { version, known: names },
    })
  }
  throw new ReleaseError('USAGE', `${having.length} applications have a release ${version}`, {
    hint: `name one with --application: ${having.join(', ')}`,
  })
}

async function verifyRecord(state: VerifyState): Promise<Outcome<string>> {
  const { application } = known(state.anchor)
  const { record, digest } = await known(state.client).record(application, state.options.version)
  state.index = await known(state.client).index(application)
  state.record = record
  return done(`${record.name} ${record.version}, ${digest}`)
}

async function fetchFiles(state: VerifyState): Promise<Outcome<string>> {
  const { scratch, tools } = state
  const files = filesOf(known(state.record))
  for (const [at, file] of files.entries()) {
    tools.emit({
      kind: 'progress',
      step: 'fetch the files',
      what: file.key,
      unit: 'files',
      done: at,
      total: files.length,
    })
    await fetchVerified(known(state.anchor).url, file, path.join(scratch, file.key), tools.signal)
  }
  return done(`${files.length} files, ${formatBytes(files.reduce((sum, file) => sum + file.sizeBytes, 0))}`)
}

async function compareEnvelopes(state: VerifyState): Promise<Outcome<string>> {
  const { components } = known(state.record)
  const compared: string[] = []
  for (const component of components) {
    const fileCount = await compareComponent(state, component)
    if (fileCount === undefined) return skipped('NO_MANIFEST', `${component.name} has no payload manifest`)
    compared.push(`${fileCount} files are the same in all of ${component.name}`)
  }
  return done(compared.join('; '))
}

async function compareComponent(state: VerifyState, { artifacts }: ReleaseComponent): Promise<number | undefined> {
  const { name, version } = known(state.record)
  const placeOf = (artifact: Artifact) => path.join(state.scratch, poolKey(name, version, artifact.name))
  const manifestArtifact = artifacts.find(({ kind }) => kind === 'manifest')
  if (manifestArtifact === undefined) return undefined
  const manifest = parseManifest(fs.readFileSync(placeOf(manifestArtifact)))
  const proven = new Set<Digest>()
  for (const artifact of artifacts) {
    const { kind, digest } = artifact
    if (kind === 'tarball' || kind === 'deb') await proveEnvelope(placeOf(artifact), manifest)
    if (kind === 'tarball') proven.add(digest)
    if (kind !== 'oci') continue
    // The repository's layout has every version; the proof is about this one.
    for (const document of renderLayout(alone(known(state.index), version))) {
      fs.writeFileSync(path.join(state.scratch, document.key), document.bytes)
    }
    await proveEnvelope(path.join(state.scratch, ociFolder(name)), manifest, proven)
  }
  return manifest.files.length
}

async function lookUpAsApt(state: VerifyState): Promise<Outcome<string>> {
  const record = known(state.record)
  const index = known(state.index)
  const { url, description } = known(state.anchor)
  const { aptKey } = description
  const debs = artifactsOf(record, 'deb')
  if (debs.length === 0) return skipped('NO_PACKAGE', 'the release has no Debian package')
  const suites = description.channels.filter(channel => offered(index, channel).includes(record.version))
  if (suites.length === 0) return skipped('NO_CHANNEL', 'no channel offers the release')
  const component = description.apt.components === 'application' ? record.name : 'main'
  for (const suite of suites) {
    for (const deb of debs) {
      const filename = poolKey(record.name, record.version, deb.name)
      await verifyListed((key, maxBytes) => fetchFile(url, key, maxBytes), { suite, component, deb, filename, aptKey })
    }
  }
  return done(`${debs.map(deb => `${deb.package} ${deb.debianVersion}`).join(', ')} in ${suites.join(', ')}`)
}

/** A list that has one release only. */
function alone(index: ReleaseIndex, version: string): ReleaseIndex {
  return { ...index, releases: index.releases.filter(release => release.version === version), channels: {} }
}

async function lookUpAsPodman(state: VerifyState): Promise<Outcome<string>> {
  const { name, version, ...record } = known(state.record)
  const images = artifactsOf({ name, version, ...record }, 'oci')
  if (images.length === 0) return skipped('NO_IMAGE', 'the release has no image')
  const index = await fetchFile(known(state.anchor).url, `${ociFolder(name)}/index.json`, maxLayoutBytes)
  for (const image of images) assertTagged(index, name, version, image.digest)
  return done(`${name}:${version}`)
}

/** Fetch a file of the release to disk, digesting it on the way. Errors: REPOSITORY_DAMAGED, TRUST_MISMATCH, HTTP_FAILED. */
async function fetchVerified(url: string, file: ReleaseFile, place: string, signal: AbortSignal): Promise<void> {
  const opened = await open(resolveUrl(url, file.key), { signal })
  if (opened === undefined) throw missingFile(file.key, url)
  fs.mkdirSync(path.dirname(place), { recursive: true })
  const digester = new Digester()
  const descriptor = fs.openSync(place, 'w')
  try {
    for await (const piece of opened.body) {
      digester.update(piece)
      if (digester.sizeBytes > file.sizeBytes) break
      fs.writeFileSync(descriptor, piece)
    }
  } finally {
    fs.closeSync(descriptor)
  }
  const { sizeBytes } = digester
  const found = digester.digest()
  if (found === file.digest) return
  throw new ReleaseError(
    'TRUST_MISMATCH',
    `${file.key} at ${url} has ${sizeBytes > file.sizeBytes ? 'more bytes than' : `${found}, not the digest that`} was signed for`,
    { details: { key: file.key, found, expected: file.digest } },
  )
}
