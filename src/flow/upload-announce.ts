import { announce, assertAnnounceable } from '../repository/announce.ts'
import type { ReadyRelease } from '../repository/dist.ts'
import { renderAnnouncement } from '../repository/render-announcement.ts'
import { delay, systemClock } from '../sys/clock.ts'
import type { PublisherOptions } from './publisher.ts'
import type { FlowTools } from './tools.ts'
import type { UploadedPlace } from './upload-report.ts'
import type { UploadSettings } from './upload-settings.ts'

/** Who is told of an upload, and with which secrets. */
export interface AnnounceOptions extends Pick<PublisherOptions, 'environment'> {
  readonly settings: UploadSettings
}

/** Check before anything is published that it can be announced. Errors: ANNOUNCE_SECRET. */
export function assertUploadAnnounceable({ settings, environment }: AnnounceOptions): void {
  assertAnnounceable(settings.announce, { cwd: settings.folder, environment })
}

/** Tell those who want to know that a release is published. Somebody who could not be told is a warning: the release is out. */
export async function announceUpload(
  { settings, environment }: AnnounceOptions,
  uploaded: {
    readonly release: ReadyRelease
    readonly channels: readonly string[]
    readonly places: readonly UploadedPlace[]
  },
  tools: FlowTools,
): Promise<void> {
  const { release, channels } = uploaded
  const places = uploaded.places.map(place => {
    const url = place.kind === 'outlet' ? place.result.url : undefined
    return { place: place.place, ...(url === undefined ? {} : { url }) }
  })
  const { record, digest: recordDigest } = release
  const outcomes = await announce(settings.announce, renderAnnouncement({ record, recordDigest, channels, places }), {
    clock: systemClock,
    wait: delay,
    random: Math.random,
    signal: tools.signal,
    cwd: settings.folder,
    environment,
  })
  for (const outcome of outcomes) {
    if (outcome.kind === 'told') tools.emit({ kind: 'note', message: `${outcome.who} was told` })
    else tools.emit({ kind: 'warning', code: outcome.error.code, message: outcome.error.message })
  }
}
