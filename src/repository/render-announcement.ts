import { type Digest, digestOf } from '../core/digest.ts'
import type { Artifact, ReleaseRecord } from '../payload/release-record.ts'

/** What is told once a release is published: JSON for a webhook or on the input of a command. */
export interface Announcement {
  readonly schema: 1
  readonly event: 'release-published'
  readonly application: string
  readonly version: string
  readonly summary: string
  readonly homepage?: string
  /** Absent for a snapshot. */
  readonly tag?: string
  readonly commit: string
  /** Seconds since 1970. */
  readonly sourceDateEpoch: number
  /** The digest of the release record, which names everything else by its digest. */
  readonly record: Digest
  /** The channels that the release went to. */
  readonly channels: readonly string[]
  readonly places: readonly AnnouncedPlace[]
  /** Markdown: this release's part of the changelog. */
  readonly changes: string
  readonly artifacts: readonly Pick<Artifact, 'kind' | 'name' | 'sizeBytes' | 'digest'>[]
}

/** Where the release is now. */
export interface AnnouncedPlace {
  readonly place: string
  readonly url?: string
}

export interface AnnouncementOptions {
  readonly record: ReleaseRecord
  readonly recordDigest: Digest
  readonly channels: readonly string[]
  readonly places: readonly AnnouncedPlace[]
}

/** Say what is told of a release. */
export function renderAnnouncement({ record, recordDigest, channels, places }: AnnouncementOptions): Announcement {
  const { name, version, summary, homepage, tag, commit, sourceDateEpoch, changes, components } = record
  return {
    schema: 1,
    event: 'release-published',
    application: name,
    version,
    summary,
    ...(homepage === undefined ? {} : { homepage }),
    ...(tag === undefined ? {} : { tag }),
    commit,
    sourceDateEpoch,
    record: recordDigest,
    channels,
    places,
    changes,
    artifacts: components
      .flatMap(({ artifacts }) => artifacts)
      .map(({ kind, name, sizeBytes, digest }) => ({ kind, name, sizeBytes, digest })),
  }
}

/** Name an announcement: whoever gets the same one again, after an answer was lost or a command was repeated, knows it by this. */
export function announcementId({ event, application, version, record, channels }: Announcement): string {
  return `msg_${digestOf(JSON.stringify([event, application, version, record, channels])).slice('sha256:'.length, 39)}`
}
