import type { Digest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { fallbackSource } from '../payload/fallback.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { parallelSource } from '../payload/parallel-source.ts'
import type { Artifact, ReleaseComponent, ReleaseRecord } from '../payload/release-record.ts'
import { openSegmentSource, type SegmentSource } from '../payload/source.ts'
import { WholeFile } from '../payload/whole-file.ts'
import type { PlacedLocation, Places } from './places.ts'

/** A payload to read, and where what comes whole is kept. */
export interface PayloadOptions {
  readonly record: ReleaseRecord
  readonly component: ReleaseComponent
  readonly manifest: PayloadManifest
  /** Absent: nothing is kept, and one thing after the other is asked for. */
  readonly cacheFolder?: string | undefined
  /** Told of each place that is given up while there is another. */
  readonly onFailure: (place: string, error: ReleaseError) => void
}

type Envelope = Artifact & { readonly kind: 'tarball' | 'deb' }

/**
 * Open a payload for reading, from whatever envelope of it a place has, one place behind the other.
 *
 * Errors: RECORD_INVALID (the release has no envelope).
 */
export function openPayload(places: Places, options: PayloadOptions): SegmentSource {
  const located = locateEnvelopes(places, options)
  const placeOf = new Map(located.map(({ source, location }) => [source, location]))
  const left = new Set(located.map(({ location }) => location))
  const [first, ...others] = located.map(({ source }) => source)
  if (first === undefined) throw withoutEnvelope(options.record)
  const source = fallbackSource([first, ...others], {
    objection: failed => places.objection(placeOf.get(failed)!.mirror),
    onFailure: (failed, error) => {
      const location = placeOf.get(failed)!
      places.note(location.mirror, error)
      left.delete(location)
      // Of several names that a place may have for something, it has one.
      const isElsewhere = [...left].some(other => isSame(other, location))
      if (error.code !== 'SEGMENT_MISSING' || !isElsewhere) options.onFailure(location.name, error)
    },
  })
  const told: SegmentSource = {
    read: source.read,
    describe: () => describePlaces(located),
    get fetchedBytes() {
      return source.fetchedBytes
    },
  }
  const isAllLocal = located.every(({ location }) => location.isLocal)
  return options.cacheFolder === undefined || isAllLocal ? told : parallelSource(told)
}

/** Name the places that something came from, else the first that would be asked. */
function describePlaces(located: readonly Located[]): string {
  const used = located.filter(({ source }) => source.fetchedBytes > 0)
  const names = (used.length === 0 ? located.slice(0, 1) : used).map(({ location }) => location.mirror.name)
  return [...new Set(names)].join(' and ')
}

/** Tell whether two locations are names of one artifact at one place. */
function isSame(a: PlacedLocation, b: PlacedLocation): boolean {
  return a.mirror === b.mirror && a.wanted.artifact === b.wanted.artifact
}

interface Located {
  readonly location: PlacedLocation
  readonly source: SegmentSource
}

function locateEnvelopes(places: Places, options: PayloadOptions): readonly Located[] {
  const { record, component, manifest, cacheFolder } = options
  const wholes = new Map<Digest, WholeFile>()
  const wholeOf = ({ digest, sizeBytes }: Artifact): WholeFile | undefined => {
    if (cacheFolder === undefined) return undefined
    const whole = wholes.get(digest) ?? new WholeFile({ folder: cacheFolder, digest, sizeBytes })
    wholes.set(digest, whole)
    return whole
  }
  const { retryTools } = places
  const envelopes = envelopesOf(component)
  return places.locate(envelopes.map(artifact => ({ record, component: component.name, artifact }))).map(location => {
    const { name: url, open, attempts, isLocal, wanted } = location
    const { payloadOffset } = envelopes.find(artifact => artifact === wanted.artifact)!
    const whole = isLocal ? undefined : wholeOf(wanted.artifact)
    return { location, source: openSegmentSource({ url, open, attempts, payloadOffset, manifest, whole, retryTools }) }
  })
}

/** The tarball first: it is what most kinds of places have. */
function envelopesOf({ artifacts }: ReleaseComponent): readonly Envelope[] {
  const envelopes = artifacts.filter((artifact): artifact is Envelope => {
    return artifact.kind === 'tarball' || artifact.kind === 'deb'
  })
  return envelopes.toSorted((a, b) => Number(b.kind === 'tarball') - Number(a.kind === 'tarball'))
}

function withoutEnvelope({ name, version }: ReleaseRecord): ReleaseError {
  return new ReleaseError('RECORD_INVALID', `the record of ${name} ${version} names no tarball or package`, {
    details: { version },
  })
}
