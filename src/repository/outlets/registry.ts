import path from 'node:path'
import type { Digest } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { compareVersions } from '../../core/version.ts'
import type { ReleaseRecord } from '../../payload/release-record.ts'
import { hasBlob, parallelBlobs, proveBlob } from '../../registry/blobs.ts'
import { openClient, type RegistryClient } from '../../registry/client.ts'
import { getManifest, headManifest, putManifest } from '../../registry/manifests.ts'
import { type PushReport, pushImage } from '../../registry/push.ts'
import { parseReference, parseTag, type RepositoryName, renderReference } from '../../registry/reference.ts'
import { listReferrers } from '../../registry/referrers.ts'
import { walkImage } from '../../registry/walk.ts'
import { eachInParallel } from '../../sys/parallel.ts'
import type { ArtifactOf } from '../artifacts.ts'
import { provenanceParts } from '../oci/referrers.ts'
import type { OpenOutletOptions } from './open.ts'
import type { MovedRelease, Outlet, OutletRelease, OutletResult, OutletTools, Standing } from './outlet.ts'
import type { OutletPlace } from './place.ts'

type RegistryPlace = OutletPlace & { readonly kind: 'registry' }

/** An image of a release, and where it goes. */
interface PlacedImage {
  readonly artifact: ArtifactOf<'oci'>
  readonly name: RepositoryName
  readonly version: string
  /** The tag of the version, which is never moved. */
  readonly tag: string
}

/**
 * Open a registry of images as an outlet.
 *
 * Shape: the image of a component is `NAMESPACE/COMPONENT`, tagged with the version and with each channel whose newest release it is, and
 * referred to by its payload manifest, bill of materials and signed provenance.
 */
export function openRegistryOutlet(place: RegistryPlace, options: OpenOutletOptions): Outlet {
  return new RegistryOutlet(place, options)
}

class RegistryOutlet implements Outlet {
  readonly name: string
  readonly #place: RegistryPlace
  readonly #access: Pick<OpenOutletOptions, 'environment'> & { readonly plainHttp: boolean }

  constructor(place: RegistryPlace, { environment, plainHttp = false }: OpenOutletOptions) {
    this.name = `oci://${place.registry}/${place.namespace}`
    this.#place = place
    this.#access = { environment, plainHttp }
  }

  async check({ record }: OutletRelease, tools: OutletTools): Promise<void> {
    for (const image of this.#images(record)) await this.#assertFree(await this.#open(image.name, tools), image)
  }

  /**
   * Push all images, prove them, and only then move the tags of channels.
   *
   * Errors: REPOSITORY_CONFLICT (the version's tag names another image), REPOSITORY_DAMAGED, those of {@link pushImage}.
   */
  async publish(release: OutletRelease, tools: OutletTools): Promise<OutletResult> {
    const { record, standing } = release
    const images = this.#images(record)
    if (images.length === 0) return skipped(`${record.name} ${record.version} has no image`)
    await this.check(release, tools)
    let [sentBytes, changes] = [0, 0]
    for (const image of images) {
      const report = await this.#push(release, image, tools)
      await this.#prove(image, report, tools)
      sentBytes += sentBytesOf(report)
      changes += report.isUnchanged ? 0 : 1
    }
    changes += await this.#moveTags(images, standing, tools)
    const places = images.map(({ name, artifact }) => renderReference({ ...name, digest: artifact.digest }))
    return { kind: changes === 0 ? 'unchanged' : 'published', message: places.join(', '), sentBytes }
  }

  async moveChannels(moved: readonly MovedRelease[], tools: OutletTools): Promise<OutletResult> {
    let changes = 0
    // The newest last, so that a channel that is named twice ends with it.
    for (const { record, standing } of moved.toSorted((a, b) => compareVersions(a.record.version, b.record.version))) {
      changes += await this.#moveTags(this.#images(record), standing, tools)
    }
    return { kind: changes === 0 ? 'unchanged' : 'published', message: `${changes} tags moved`, sentBytes: 0 }
  }

  #images({ components, version }: ReleaseRecord): readonly PlacedImage[] {
    const tag = parseTag(version.replaceAll('+', '_'))
    const { registry, namespace } = this.#place
    return components.flatMap(({ name: component, artifacts }) =>
      artifacts
        .filter((artifact): artifact is ArtifactOf<'oci'> => artifact.kind === 'oci')
        .map(artifact => ({
          artifact,
          name: parseReference(`${registry}/${namespace}/${component}`),
          version,
          tag,
        })),
    )
  }

  #open(name: RepositoryName, tools: OutletTools): Promise<RegistryClient> {
    return openClient({ ...this.#access, name, actions: 'pull,push' }, tools)
  }

  async #assertFree(client: RegistryClient, { name, tag, artifact }: PlacedImage): Promise<void> {
    const found = await headManifest(client, tag)
    if (found === undefined || found.digest === artifact.digest) return
    const reference = renderReference({ ...name, tag })
    throw new ReleaseError(
      'REPOSITORY_CONFLICT',
      `${reference} is ${found.digest ?? 'another image'}, expected ${artifact.digest}`,
      { details: { reference, found: found.digest, expected: artifact.digest } },
    )
  }

  async #push(release: OutletRelease, image: PlacedImage, tools: OutletTools): Promise<PushReport> {
    const { artifact, name, tag } = image
    const report = await pushImage(
      {
        ...this.#access,
        folder: path.join(release.folder, artifact.name),
        digest: artifact.digest,
        name,
        tags: [tag],
        additions: release.envelope === undefined ? [] : provenanceParts(release.record, release.envelope.bytes),
        onProgress: tools.onProgress,
        bandwidth: tools.bandwidth,
      },
      tools,
    )
    this.#receipt(tools, 'image-pushed', renderReference({ ...name, tag }), artifact.digest)
    return report
  }

  /** Fetch again, as a client would, what was sent just now; of the rest it is enough that it is there. */
  async #prove({ name, tag, artifact }: PlacedImage, report: PushReport, tools: OutletTools): Promise<void> {
    const stop = new AbortController()
    const signal = AbortSignal.any([tools.signal, stop.signal])
    const client = await this.#open(name, { ...tools, signal })
    const root = await getManifest(client, tag)
    const reference = renderReference({ ...name, tag })
    if (root.digest !== artifact.digest) throw damaged(`${reference} reads back as ${root.digest}`, artifact.digest)
    const listed = new Set((await listReferrers(client, root.digest)).map(({ digest }) => digest))
    const missing = report.referrers.find(digest => !listed.has(digest))
    if (missing !== undefined) throw damaged(`${reference} is not listed with what refers to it`, missing)
    for (const digest of [root.digest, ...report.referrers]) {
      const stored = await getManifest(client, digest)
      await walkImage(stored, descriptor => getManifest(client, descriptor.digest), undefined)
    }
    const lanes = { parallelism: parallelBlobs, stop: (reason: unknown) => stop.abort(reason) }
    await eachInParallel(report.blobs, lanes, async blob => {
      if (blob.outcome === 'sent') await proveBlob(client, blob)
      else if (!(await hasBlob(client, blob))) throw damaged(`${reference} lacks a blob`, blob.digest)
    })
    this.#receipt(tools, 'image-proved', reference, artifact.digest)
  }

  async #moveTags(images: readonly PlacedImage[], standing: Standing, tools: OutletTools): Promise<number> {
    let moved = 0
    for (const image of images) {
      const client = await this.#open(image.name, tools)
      // What this registry never got has no tags to move.
      if ((await headManifest(client, image.tag))?.digest !== image.artifact.digest) continue
      for (const channel of standing.heads) moved += await this.#moveTag(client, image, { channel, tools })
      for (const channel of standing.vacated) moved += await this.#removeTag(client, image, channel)
    }
    return moved
  }

  async #moveTag(
    client: RegistryClient,
    { name, artifact }: PlacedImage,
    { channel, tools }: { readonly channel: string; readonly tools: OutletTools },
  ): Promise<number> {
    if ((await headManifest(client, channel))?.digest === artifact.digest) return 0
    await putManifest(client, channel, await getManifest(client, artifact.digest))
    this.#receipt(tools, 'tag-moved', renderReference({ ...name, tag: channel }), artifact.digest)
    return 1
  }

  /** Take the tag of a channel away that offers nothing any more. Source: distribution-spec §Deleting tags, which registries need not do. */
  async #removeTag(client: RegistryClient, { name, artifact }: PlacedImage, channel: string): Promise<number> {
    if ((await headManifest(client, channel))?.digest !== artifact.digest) return 0
    const reference = renderReference({ ...name, tag: channel })
    const answer = await client.send({
      method: 'DELETE',
      to: `manifests/${channel}`,
      what: `remove tag ${channel}`,
      expect: [200, 202, 204, 400, 404, 405],
    })
    await answer.finish()
    if (answer.status < 400) return 1
    const what = `the channel ${channel} offers nothing any more`
    client.tools.warn('REGISTRY_REFUSED', `${reference} stays, though ${what}: the registry removes no tags`)
    return 0
  }

  #receipt(tools: OutletTools, action: string, subject: string, digest: Digest): void {
    tools.receipts.add({ outlet: this.name, action, subject, digest })
  }
}

function sentBytesOf({ blobs }: PushReport): number {
  return blobs.reduce((sum, { outcome, sizeBytes }) => sum + (outcome === 'sent' ? sizeBytes : 0), 0)
}

function skipped(message: string): OutletResult {
  return { kind: 'skipped', message, sentBytes: 0 }
}

function damaged(message: string, expected: Digest): ReleaseError {
  return new ReleaseError('REPOSITORY_DAMAGED', `${message}, expected ${expected}`, { details: { expected } })
}
