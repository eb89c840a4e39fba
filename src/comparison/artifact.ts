import fs from 'node:fs'
import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { Unreadable } from '../evidence/unreadable.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { Artifact } from '../payload/release-record.ts'
import { compareArchives } from './archive.ts'
import { firstDifference } from './bytes.ts'
import { describeDifference } from './content.ts'
import { compareDebs } from './deb.ts'
import { type ComparisonContext, type Differences, firstOf, followsFrom, type Pair } from './difference.ts'
import { compareImages } from './image.ts'
import { compareJson } from './json.ts'
import { comparePayloads } from './payload.ts'
import { reasonOf } from './reason.ts'

/** An artifact on disk: a file, or of an image the folder with its `blobs/sha256`. */
export interface ArtifactPlace<A extends Artifact = Artifact> {
  readonly artifact: A
  readonly place: string
  /** The manifest of its component; undefined when it cannot be read. */
  readonly manifest: PayloadManifest | undefined
}

/** What the comparison of an artifact needs to know of its component. */
export interface ArtifactContext extends ComparisonContext {
  /** The tarball of the component when the payloads differ, its manifest when only that does. */
  readonly payloadCause: string | undefined
}

/**
 * Say where two artifacts that are known to differ do so, as deep as their kind can be read, else by their first byte.
 *
 * Errors: FILE_IO.
 */
export async function compareArtifacts(pair: Pair<ArtifactPlace>, context: ArtifactContext): Promise<Differences> {
  try {
    const differences = await compareByKind(pair, context)
    if (differences.count > 0) return differences
  } catch (caught) {
    if (!isUnreadable(caught)) throw caught
    // One of them is damaged, or of another version: the bytes can always be compared.
    const bytes = await compareFiles(pair, context)
    const unreadable = { where: 'artifact', released: 'cannot be looked into', rebuilt: '', why: caught.message }
    return firstOf([unreadable, ...bytes.shown])
  }
  return compareFiles(pair, context)
}

/** Compare the bytes of two files and say where the first differs. */
export async function compareFiles(
  { released, rebuilt }: Pair<ArtifactPlace>,
  context: ArtifactContext,
): Promise<Differences> {
  if (released.artifact.kind === 'oci') return firstOf([])
  const read = (file: string) => fs.createReadStream(file, { highWaterMark: 1024 * 1024 })
  const found = await firstDifference(read(released.place), read(rebuilt.place))
  if (found === undefined) return firstOf([])
  return firstOf([describeDifference(segmentText(released, found.offset), found, reasonOf(found, context.facts))])
}

async function compareByKind(pair: Pair<ArtifactPlace>, context: ArtifactContext): Promise<Differences> {
  const { released, rebuilt } = pair
  const manifests = manifestsOf(pair)
  switch (released.artifact.kind) {
    case 'tarball':
      return manifests === undefined ? firstOf([]) : compareTarballs(pair, manifests, context)
    case 'manifest':
      return manifests === undefined ? firstOf([]) : compareManifestFiles(manifests, released, context)
    case 'deb':
      return manifests === undefined ? firstOf([]) : compareDebs(debs(pair, manifests), context)
    case 'oci':
      return compareImages({ released: image(released), rebuilt: image(rebuilt) }, context)
    case 'source':
    case 'python':
      return compareArchives({ released: released.place, rebuilt: rebuilt.place }, context.facts)
    case 'sbom':
      return compareSboms(pair, context)
    case 'provenance':
      return firstOf(compareJson({ released: readJson(released), rebuilt: readJson(rebuilt), ...context }))
    case 'delta':
      return compareDeltas(pair, context)
  }
}

function manifestsOf({ released, rebuilt }: Pair<ArtifactPlace>): Pair<PayloadManifest> | undefined {
  if (released.manifest === undefined || rebuilt.manifest === undefined) return undefined
  return { released: released.manifest, rebuilt: rebuilt.manifest }
}

function compareTarballs(
  { released, rebuilt }: Pair<ArtifactPlace>,
  manifests: Pair<PayloadManifest>,
  { facts }: ArtifactContext,
): Promise<Differences> {
  const place = ({ artifact, place: file }: ArtifactPlace, manifest: PayloadManifest) => ({
    manifest,
    file,
    payloadOffset: artifact.kind === 'tarball' ? artifact.payloadOffset : 0,
  })
  const pair = { released: place(released, manifests.released), rebuilt: place(rebuilt, manifests.rebuilt) }
  return comparePayloads(pair, facts)
}

/** Entries, segments and the tar are the payload's affair; what is left is what the manifest alone says. */
function compareManifestFiles(
  { released, rebuilt }: Pair<PayloadManifest>,
  { artifact }: ArtifactPlace,
  { consequences, payloadCause: cause }: ArtifactContext,
): Differences {
  const own = ({ files: _f, segments: _s, segmentsSizeBytes: _b, tar: _t, ...rest }: PayloadManifest) => rest
  const differences = compareJson({ released: own(released), rebuilt: own(rebuilt), consequences })
  if (cause !== undefined && cause !== artifact.name) {
    const follows = { where: 'entries and segments', released: '', rebuilt: '' }
    return firstOf([...differences, { ...follows, ...followsFrom(cause) }])
  }
  if (differences.length > 0) return firstOf(differences)
  const why = `another zstd than ${process.versions.zstd} compressed it, or another version of Cutover`
  return firstOf([{ where: 'compression', released: 'an equal manifest', rebuilt: 'compressed otherwise', why }])
}

function debs(pair: Pair<ArtifactPlace>, manifests: Pair<PayloadManifest>) {
  const place = ({ artifact, place: file }: ArtifactPlace, manifest: PayloadManifest) => ({
    file,
    manifest,
    payloadOffset: artifact.kind === 'deb' ? artifact.payloadOffset : 0,
  })
  return { released: place(pair.released, manifests.released), rebuilt: place(pair.rebuilt, manifests.rebuilt) }
}

function image({ artifact, place: folder }: ArtifactPlace) {
  if (artifact.kind !== 'oci') throw new Error(`${artifact.name} is no image`)
  return { folder, artifact }
}

/** An SBOM lists the payload: of another payload it is another. */
function compareSboms({ released, rebuilt }: Pair<ArtifactPlace>, context: ArtifactContext): Differences {
  const differences = compareJson({ released: readJson(released), rebuilt: readJson(rebuilt), ...context })
  const { payloadCause } = context
  if (payloadCause === undefined) return firstOf(differences)
  return firstOf(differences.map(difference => ({ ...difference, ...followsFrom(payloadCause) })))
}

/** A delta packs what changed in the payload since another one. */
async function compareDeltas(pair: Pair<ArtifactPlace>, context: ArtifactContext): Promise<Differences> {
  const [released, rebuilt] = [baseOf(pair.released), baseOf(pair.rebuilt)]
  const { payloadCause: cause } = context
  if (released !== rebuilt) {
    const why = 'it was made from another release of that version'
    return firstOf([{ where: 'manifest that it starts from', released, rebuilt, why }])
  }
  if (cause !== undefined) return firstOf([{ where: 'payload', released: '', rebuilt: '', ...followsFrom(cause) }])
  const why = `both payloads are equal: another zstd than ${process.versions.zstd} or another version of Cutover packed it`
  const { shown } = await compareFiles(pair, context)
  return firstOf(shown.map(difference => ({ ...difference, why })))
}

function baseOf({ artifact }: ArtifactPlace): string {
  return artifact.kind === 'delta' ? artifact.fromManifest : 'none'
}

function readJson({ place }: ArtifactPlace): unknown {
  const text = fs.readFileSync(place, 'utf8')
  try {
    return JSON.parse(text)
  } catch {
    throw new Unreadable('it is not JSON')
  }
}

/** Name the segment that a byte of a tarball is in. */
function segmentText({ artifact, manifest }: ArtifactPlace, offset: number): string {
  if (artifact.kind !== 'tarball' || manifest === undefined) return ''
  const segment = manifest.segments.findLast(each => artifact.payloadOffset + each.offset <= offset)
  return segment === undefined ? 'header' : `segment ${segment.index} of ${manifest.segments.length}`
}

function isUnreadable(caught: unknown): caught is Error {
  return caught instanceof Unreadable || (caught instanceof ReleaseError && caught.code !== 'FILE_IO')
}

/** A file of a release whose bytes are not those that the record names. */
export interface DamagedFile {
  readonly file: string
  readonly expected: Digest
  /** Undefined when it is missing. */
  readonly found: Digest | undefined
}
