import { digestOf } from '../../../core/digest.ts'
import { ReleaseError } from '../../../core/error.ts'
import type { OpenOutletOptions } from '../open.ts'
import type { MovedRelease, Outlet, OutletRelease, OutletResult, OutletTools } from '../outlet.ts'
import type { OutletPlace } from '../place.ts'
import { isProvisional } from '../standing.ts'
import { type PlannedAsset, planAssets } from './assets.ts'
import { GithubClient, isAnswer } from './client.ts'
import {
  ensureDraft,
  findPublished,
  findRelease,
  type GithubRelease,
  publishDraft,
  remoteCommit,
  removeDraft,
} from './releases.ts'
import { renderNotes, withWarning } from './render-notes.ts'
import { type GithubSettings, readGithubSettings } from './settings.ts'
import { assertAssets, uploadAssets } from './upload.ts'

type GithubPlace = OutletPlace & { readonly kind: 'github' }

/**
 * Open the releases of a repository at GitHub as an outlet.
 *
 * Shape: the release of a tag, with every file as an asset; a draft until all of them are proved, so that it is safe where published releases
 * are immutable. Errors: GITHUB_AUTH (no token), OUTLET_INVALID.
 */
export function openGithubOutlet(place: GithubPlace, { environment, cwd }: OpenOutletOptions): Outlet {
  return new GithubOutlet(place, readGithubSettings(environment, cwd))
}

class GithubOutlet implements Outlet {
  readonly name: string
  readonly #place: GithubPlace
  readonly #settings: GithubSettings

  constructor(place: GithubPlace, settings: GithubSettings) {
    this.name = `github:${place.owner}/${place.repository}`
    this.#place = place
    this.#settings = settings
  }

  /** Errors: GITHUB_ASSETS, GITHUB_AUTH, GITHUB_REFUSED (no such repository), REPOSITORY_CONFLICT. */
  async check(release: OutletRelease, tools: OutletTools): Promise<void> {
    const { tag } = release.record
    if (tag === undefined) return
    const planned = planAssets(release)
    const client = await this.#open(tools)
    const { permissions } = await client.call('look at the repository', ({ rest }) =>
      rest.repos.get({ ...client.path }),
    )
    if (permissions?.push === false) {
      throw new ReleaseError('GITHUB_AUTH', `the token may not make releases in ${this.name}`)
    }
    const published = await findPublished(client, tag)
    if (published !== undefined) await this.#assertSame(client, published, planned)
  }

  async publish(release: OutletRelease, tools: OutletTools): Promise<OutletResult> {
    const { record } = release
    const { tag } = record
    if (tag === undefined) {
      return { kind: 'skipped', message: `${record.version} is a snapshot, which has no tag`, sentBytes: 0 }
    }
    const planned = planAssets(release)
    const client = await this.#open(tools)
    const published = await findPublished(client, tag)
    if (published !== undefined) return this.#settle(client, published, planned)
    try {
      return await this.#bring(client, { release, tag, planned })
    } catch (caught) {
      // Another publisher may have been faster: with the same files all is well.
      const rival = isAnswer(caught, 422) ? await findPublished(client, tag) : undefined
      if (rival === undefined) throw caught
      return this.#settle(client, rival, planned)
    }
  }

  async #bring(
    client: GithubClient,
    { release, tag, planned }: { release: OutletRelease; tag: string; planned: readonly PlannedAsset[] },
  ): Promise<OutletResult> {
    const { record, standing } = release
    const { receipts } = client.tools
    const wanted = {
      tag,
      commit: await remoteCommit(client, record, tag),
      title: `${record.name} ${record.version}`,
      notes: renderNotes(record, digestOf(release.recordBytes), standing.yanked),
      isProvisional: isProvisional(release),
      isLatest: isLatest(release),
    }
    const draft = await ensureDraft(client, record, wanted)
    receipts.add({ outlet: this.name, action: 'draft', subject: tag, remoteId: String(draft.id) })
    const sentBytes = await uploadAssets({ client, outlet: this.name, release: draft, planned })
    const done = await publishDraft(client, draft, wanted)
    receipts.add({ outlet: this.name, action: 'published', subject: tag, remoteId: String(done.id) })
    return { kind: 'published', message: done.html_url, url: done.html_url, sentBytes }
  }

  /** Find everything as it should be. */
  async #settle(
    client: GithubClient,
    published: GithubRelease,
    planned: readonly PlannedAsset[],
  ): Promise<OutletResult> {
    await this.#assertSame(client, published, planned)
    await this.#dropDraft(client, published)
    return { kind: 'unchanged', message: published.html_url, url: published.html_url, sentBytes: 0 }
  }

  /** Remove the draft of an upload that another publisher was faster than. */
  async #dropDraft(client: GithubClient, published: GithubRelease): Promise<void> {
    const draftId = client.tools.receipts.find(this.name, 'draft', published.tag_name)?.remoteId
    if (draftId === undefined || draftId === String(published.id)) return
    const found = await findRelease(client, Number(draftId))
    if (found?.draft === true) await removeDraft(client, found.id)
  }

  async moveChannels(moved: readonly MovedRelease[], tools: OutletTools): Promise<OutletResult> {
    const client = await this.#open(tools)
    let changes = 0
    // The latest last, for GitHub takes another one when it loses what it had.
    for (const release of moved.toSorted((a, b) => Number(isLatest(a)) - Number(isLatest(b)))) {
      if (await this.#move(client, release)) changes += 1
    }
    return { kind: changes === 0 ? 'unchanged' : 'published', message: `${changes} releases changed`, sentBytes: 0 }
  }

  #open(tools: OutletTools): Promise<GithubClient> {
    const { owner, repository: repo } = this.#place
    return GithubClient.open({ owner, repo }, this.#settings, tools)
  }

  /** What is published is never mended: whoever has it would have something else than who comes later. */
  async #assertSame(client: GithubClient, release: GithubRelease, planned: readonly PlannedAsset[]): Promise<void> {
    try {
      await assertAssets({ client, outlet: this.name, release, planned })
    } catch (caught) {
      if (!(caught instanceof ReleaseError) || caught.code !== 'REPOSITORY_DAMAGED') throw caught
      throw new ReleaseError(
        'REPOSITORY_CONFLICT',
        `${release.html_url} is published and not the same: ${caught.message}`,
        {
          cause: caught,
          hint: 'cut a new version; or, when nobody can have it yet, delete that release and run the same command again',
          details: caught.details,
        },
      )
    }
  }

  async #move(client: GithubClient, moved: MovedRelease): Promise<boolean> {
    const { tag } = moved.record
    const found = tag === undefined ? undefined : await findPublished(client, tag)
    if (found === undefined) return false
    const body = withWarning(found.body ?? '', moved.standing.yanked)
    const change = {
      ...(body === (found.body ?? '') ? {} : { body }),
      ...this.#flagChange(client, found, isProvisional(moved)),
      ...(isLatest(moved) === (await isShownAsLatest(client, found))
        ? {}
        : { make_latest: isLatest(moved) ? ('true' as const) : ('false' as const) }),
    }
    if (Object.keys(change).length === 0) return false
    await client.call(`change release ${tag}`, ({ rest }) =>
      rest.repos.updateRelease({ ...client.path, release_id: found.id, ...change }),
    )
    client.tools.receipts.add({
      outlet: this.name,
      action: 'moved',
      subject: found.tag_name,
      remoteId: String(found.id),
    })
    return true
  }

  /** Of an immutable release only title and notes can be changed. Source: docs.github.com, "Immutable releases". */
  #flagChange(client: GithubClient, found: GithubRelease, prerelease: boolean): { readonly prerelease?: boolean } {
    if (found.prerelease === prerelease) return {}
    if (found.immutable !== true) return { prerelease }
    client.tools.warn('GITHUB_REFUSED', `${found.html_url} is immutable: whether it is a pre-release stays as it was`)
    return {}
  }
}

/** GitHub calls no pre-release the latest. */
function isLatest(release: MovedRelease): boolean {
  return release.standing.isLatest && !isProvisional(release)
}

async function isShownAsLatest(client: GithubClient, { id }: GithubRelease): Promise<boolean> {
  try {
    const latest = await client.call('look for the latest release', ({ rest }) =>
      rest.repos.getLatestRelease({ ...client.path }),
    )
    return latest.id === id
  } catch (caught) {
    if (isAnswer(caught, 404)) return false
    throw caught
  }
}
