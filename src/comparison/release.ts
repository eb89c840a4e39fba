import fs from 'node:fs'
import { type Digest, hexOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { type PayloadManifest, parseManifest } from '../payload/manifest.ts'
import { type Artifact, type ReleaseComponent, type ReleaseRecord, recordBytes } from '../payload/release-record.ts'
import {
  type ArtifactContext,
  type ArtifactPlace,
  compareArtifacts,
  compareFiles,
  type DamagedFile,
} from './artifact.ts'
import { type BuildFacts, type Difference, type Differences, firstOf, type Pair } from './difference.ts'
import { compareRecords } from './record.ts'

/** A release on disk. */
export interface ReleaseFiles {
  readonly record: ReleaseRecord
  /** Where an artifact is: a file, or of an image the folder with its `blobs/sha256`. */
  readonly placeOf: (artifact: Artifact) => string
}

/** A release as it was published or cut. */
export interface ReleasedFiles extends ReleaseFiles {
  /** By artifact: files that are not what the record says. */
  readonly damaged: ReadonlyMap<string, readonly DamagedFile[]>
}

/** A release as it was built again. */
export interface RebuiltFiles extends ReleaseFiles {
  /** By artifact: why it was taken from the release rather than built, so that there is nothing to compare. */
  readonly taken: ReadonlyMap<string, string>
}

/** Both sides of a comparison. */
interface ComparedReleases {
  readonly released: ReleasedFiles
  readonly rebuilt: RebuiltFiles
}

/** How an artifact of a release compares with the same one built again; `release.json` stands for the record itself. */
export interface ArtifactComparison extends Differences {
  readonly artifact: string
  readonly result: 'equal' | 'differs' | 'not compared'
}

/**
 * Compare a release with what was built again of it: every artifact, in the order of the record, and the record.
 *
 * Post: artifacts with equal digests were not read. Errors: FILE_IO.
 */
export async function compareReleases(
  pair: ComparedReleases,
  facts: BuildFacts,
): Promise<readonly ArtifactComparison[]> {
  const comparison = new ReleaseComparison(pair, facts)
  const { components } = pair.released.record
  for (const component of components) await comparison.component(component)
  comparison.added()
  comparison.record()
  return comparison.results
}

class ReleaseComparison {
  readonly #pair: ComparedReleases
  readonly #facts: BuildFacts
  readonly #consequences = new Map<string, { readonly rebuilt: string; readonly cause: string }>()
  readonly #rebuilt: ReadonlyMap<string, Artifact>
  readonly results: ArtifactComparison[] = []

  constructor(pair: ComparedReleases, facts: BuildFacts) {
    this.#pair = pair
    this.#facts = facts
    this.#rebuilt = new Map(artifactsOf(pair.rebuilt.record).map(artifact => [artifact.name, artifact]))
    for (const { name, digest } of artifactsOf(pair.released.record)) {
      const other = this.#rebuilt.get(name)
      if (other !== undefined) this.#learn(digest, other.digest, name)
    }
  }

  async component({ artifacts }: ReleaseComponent): Promise<void> {
    const manifests = this.#manifests(artifacts)
    const payloadCause = this.#payloadCause(artifacts, manifests)
    for (const artifact of artifacts) {
      const taken = this.#pair.rebuilt.taken.get(artifact.name)
      if (taken !== undefined && !this.#pair.released.damaged.has(artifact.name)) {
        this.#addTaken(artifact.name, taken)
        continue
      }
      const other = this.#rebuilt.get(artifact.name)
      const context = { facts: this.#facts, consequences: this.#consequences, payloadCause }
      this.#add(artifact.name, await this.#artifact(artifact, other, { manifests, context }))
    }
  }

  /** What was built now and is not in the release. */
  added(): void {
    const released = new Set(artifactsOf(this.#pair.released.record).map(artifact => artifact.name))
    for (const { name } of this.#rebuilt.values()) {
      if (!released.has(name)) this.#add(name, firstOf([presence('absent', 'built now')]))
    }
  }

  record(): void {
    const { released, rebuilt } = this.#pair
    const isEqual = recordBytes(released.record).equals(recordBytes(rebuilt.record))
    const records = { released: released.record, rebuilt: rebuilt.record }
    const context = { facts: this.#facts, consequences: this.#consequences }
    this.#add('release.json', isEqual ? firstOf([]) : compareRecords(records, context))
  }

  async #artifact(
    artifact: Artifact,
    other: Artifact | undefined,
    {
      manifests,
      context,
    }: { readonly manifests: Pair<PayloadManifest | undefined>; readonly context: ArtifactContext },
  ): Promise<Differences> {
    if (other === undefined) return firstOf([presence('there', 'not built')])
    const pair = {
      released: { artifact, place: this.#pair.released.placeOf(artifact), manifest: manifests.released },
      rebuilt: { artifact: other, place: this.#pair.rebuilt.placeOf(other), manifest: manifests.rebuilt },
    }
    const damaged = this.#pair.released.damaged.get(artifact.name) ?? []
    if (damaged.length > 0) return damagedDifferences(pair, damaged, context)
    return artifact.digest === other.digest ? firstOf([]) : compareArtifacts(pair, context)
  }

  /** Name what the difference of the other envelopes follows from, if the payload or its manifest differs. */
  #payloadCause(artifacts: readonly Artifact[], { released, rebuilt }: Pair<PayloadManifest | undefined>) {
    const named = (kind: Artifact['kind']) => artifacts.find(artifact => artifact.kind === kind)
    if (released !== undefined && rebuilt !== undefined && payloadText(released) !== payloadText(rebuilt)) {
      const cause = named('tarball')?.name
      if (cause !== undefined) this.#learnPayload({ released, rebuilt }, cause)
      return cause
    }
    const manifest = named('manifest')
    const isEqual = manifest === undefined || this.#rebuilt.get(manifest.name)?.digest === manifest.digest
    return isEqual ? undefined : manifest.name
  }

  #manifests(artifacts: readonly Artifact[]): Pair<PayloadManifest | undefined> {
    const artifact = artifacts.find(({ kind }) => kind === 'manifest')
    const other = artifact && this.#rebuilt.get(artifact.name)
    return {
      released: artifact && this.#readReleased(artifact),
      rebuilt: other && readManifest(this.#pair.rebuilt.placeOf(other)),
    }
  }

  /** A manifest that was changed after the cut explains nothing. */
  #readReleased(artifact: Artifact): PayloadManifest | undefined {
    const { damaged, placeOf } = this.#pair.released
    return damaged.has(artifact.name) ? undefined : readManifest(placeOf(artifact))
  }

  /** Files and the tar of a payload are named by digest in many places. */
  #learnPayload({ released, rebuilt }: Pair<PayloadManifest>, cause: string): void {
    this.#learn(released.tar.digest, rebuilt.tar.digest, cause)
    const files = new Map(rebuilt.files.flatMap(file => (file.type === 'file' ? [[file.path, file.digest]] : [])))
    for (const file of released.files) {
      const other = files.get(file.path)
      if (file.type === 'file' && other !== undefined) this.#learn(file.digest, other as Digest, cause)
    }
  }

  #learn(released: Digest, rebuilt: Digest, cause: string): void {
    if (released !== rebuilt) this.#consequences.set(released, { rebuilt, cause })
  }

  #addTaken(artifact: string, why: string): void {
    const difference = { where: '', released: '', rebuilt: '', why }
    this.results.push({ artifact, result: 'not compared', shown: [difference], count: 1 })
  }

  #add(artifact: string, differences: Differences): void {
    this.results.push({ artifact, result: differences.count === 0 ? 'equal' : 'differs', ...differences })
  }
}

/** Bytes that are not even what the record says are told as that, with the place where they were changed. */
async function damagedDifferences(
  pair: Pair<ArtifactPlace>,
  damaged: readonly DamagedFile[],
  context: ArtifactContext,
): Promise<Differences> {
  const isRecorded = pair.released.artifact.digest === pair.rebuilt.artifact.digest
  const differences: Difference[] = []
  for (const { file, expected, found } of damaged) {
    const blob = { ...pair.rebuilt, place: blobFile(pair.rebuilt, expected) }
    const isThere = found !== undefined && isRecorded && fs.existsSync(blob.place)
    const bytes = isThere
      ? await compareFiles({ released: { ...pair.released, place: file }, rebuilt: blob }, context)
      : firstOf([])
    const why = 'it is not what its record says: it was changed or damaged after the cut'
    const whole = { where: 'file', released: found ?? 'missing', rebuilt: expected }
    differences.push({ ...(bytes.shown[0] ?? whole), why })
  }
  return firstOf(differences)
}

function blobFile({ artifact, place }: ArtifactPlace, digest: Digest): string {
  return artifact.kind === 'oci' ? `${place}/blobs/sha256/${hexOf(digest)}` : place
}

function presence(released: string, rebuilt: string): Difference {
  return { where: 'artifact', released, rebuilt, why: 'another recipe or version of Cutover' }
}

/** What a payload is, apart from what the manifest says besides. */
function payloadText({ files, tar, segments }: PayloadManifest): string {
  return JSON.stringify([files, tar, segments])
}

/** Undefined when it is damaged, which the comparison of its artifact tells. */
function readManifest(file: string): PayloadManifest | undefined {
  try {
    return parseManifest(fs.readFileSync(file))
  } catch (caught) {
    if (caught instanceof ReleaseError || !fs.existsSync(file)) return undefined
    throw caught
  }
}

function artifactsOf({ components }: ReleaseRecord): readonly Artifact[] {
  return components.flatMap(component => component.artifacts)
}
