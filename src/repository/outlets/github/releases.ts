import type { RestEndpointMethodTypes } from '@octokit/rest'
import { ReleaseError } from '../../../core/error.ts'
import type { ReleaseRecord } from '../../../payload/release-record.ts'
import { type GithubClient, isAnswer } from './client.ts'
import { ownMark } from './render-notes.ts'

/** A release as GitHub tells of it. */
export type GithubRelease = RestEndpointMethodTypes['repos']['getRelease']['response']['data']

const pageSize = 100
/** GitHub lists no more than 10,000. */
const mostPages = 100

/** What a release at GitHub is to say. */
export interface WantedRelease {
  readonly tag: string
  /** What the tag marks. */
  readonly commit: string
  readonly title: string
  readonly notes: string
  readonly isProvisional: boolean
}

/**
 * Find the published release of a tag; undefined when there is none.
 *
 * Errors: those of {@link GithubClient.once}.
 */
export async function findPublished(client: GithubClient, tag: string): Promise<GithubRelease | undefined> {
  try {
    const found = await client.call(`look for release ${tag}`, ({ rest }) =>
      rest.repos.getReleaseByTag({ ...client.path, tag }),
    )
    return found.draft ? undefined : found
  } catch (caught) {
    if (isAnswer(caught, 404)) return undefined
    throw caught
  }
}

/** Find a release or draft; undefined when it is gone. Errors: those of {@link GithubClient.once}. */
export async function findRelease(client: GithubClient, id: number): Promise<GithubRelease | undefined> {
  try {
    return await client.call(`look for release ${id}`, ({ rest }) =>
      rest.repos.getRelease({ ...client.path, release_id: id }),
    )
  } catch (caught) {
    if (isAnswer(caught, 404)) return undefined
    throw caught
  }
}

/**
 * Find or make the draft of a release.
 *
 * A draft is ours when its notes carry our mark. Of several, which answers that got lost can leave, the first is kept.
 * Errors: REPOSITORY_CONFLICT (somebody else's draft has the tag), those of {@link GithubClient.once}. Crash: run again, it is found.
 */
export function ensureDraft(
  client: GithubClient,
  record: ReleaseRecord,
  wanted: WantedRelease,
): Promise<GithubRelease> {
  return client.retrying(async () => {
    const [draft, ...others] = await listDrafts(client, record, wanted.tag)
    for (const other of others) await removeDraft(client, other.id)
    return draft ?? createDraft(client, wanted)
  })
}

async function listDrafts(client: GithubClient, record: ReleaseRecord, tag: string): Promise<readonly GithubRelease[]> {
  const drafts: GithubRelease[] = []
  for (let page = 1; page <= mostPages; page += 1) {
    const listed = await client.once('list releases', ({ rest }) =>
      rest.repos.listReleases({ ...client.path, per_page: pageSize, page }),
    )
    drafts.push(...listed.filter(release => release.draft && release.tag_name === tag))
    if (listed.length < pageSize) break
  }
  const foreign = drafts.find(({ body }) => !body?.includes(ownMark(record)))
  if (foreign === undefined) return drafts.toSorted((a, b) => a.id - b.id)
  throw new ReleaseError('REPOSITORY_CONFLICT', `${foreign.html_url} is a draft for ${tag} that was made otherwise`, {
    hint: 'publish or delete that draft, then run the same command again',
    details: { tag, url: foreign.html_url },
  })
}

function createDraft(client: GithubClient, wanted: WantedRelease): Promise<GithubRelease> {
  return client.once(`create a draft for ${wanted.tag}`, ({ rest }) =>
    rest.repos.createRelease({
      ...client.path,
      tag_name: wanted.tag,
      target_commitish: wanted.commit,
      name: wanted.title,
      body: wanted.notes,
      draft: true,
      prerelease: wanted.isProvisional,
    }),
  )
}

/** Remove a draft that is one too many; one that is gone is as good. */
export async function removeDraft(client: GithubClient, id: number): Promise<void> {
  try {
    await client.once(`remove draft ${id}`, ({ rest }) => rest.repos.deleteRelease({ ...client.path, release_id: id }))
  } catch (caught) {
    if (!isAnswer(caught, 404)) throw caught
  }
}

/**
 * Let everybody see a draft.
 *
 * Post: it is published; the one call that does it is the last. Errors: those of {@link GithubClient.once}.
 */
export function publishDraft(
  client: GithubClient,
  draft: GithubRelease,
  wanted: WantedRelease & { readonly isLatest: boolean },
): Promise<GithubRelease> {
  return client.retrying(async () => {
    // An answer may have got lost, or another publisher was faster: what is published may be immutable.
    const found = await client.once(`look at release ${wanted.tag}`, ({ rest }) =>
      rest.repos.getRelease({ ...client.path, release_id: draft.id }),
    )
    if (!found.draft) return found
    return client.once(`publish ${wanted.tag}`, ({ rest }) =>
      rest.repos.updateRelease({
        ...client.path,
        release_id: draft.id,
        tag_name: wanted.tag,
        target_commitish: wanted.commit,
        name: wanted.title,
        body: wanted.notes,
        prerelease: wanted.isProvisional,
        make_latest: wanted.isLatest ? 'true' : 'false',
        draft: false,
      }),
    )
  })
}

/**
 * Check that a tag is at GitHub and marks what the release was built from.
 *
 * Post: the commit that it marks. Errors: RELEASE_UNTAGGED.
 */
export async function remoteCommit(client: GithubClient, record: ReleaseRecord, tag: string): Promise<string> {
  const target = await tagTarget(client, tag)
  const { sha, type } = target ?? {}
  const isCommit = sha !== undefined && type === 'commit'
  const tree = isCommit
    ? (
        await client.call(`look at commit ${sha}`, ({ rest }) =>
          rest.git.getCommit({ ...client.path, commit_sha: sha }),
        )
      ).tree.sha
    : undefined
  if (isCommit && tree === record.tree) return sha
  const { owner, repo } = client.path
  const found = tree ?? sha ?? 'missing'
  throw new ReleaseError(
    'RELEASE_UNTAGGED',
    `the tag ${tag} of ${record.name} ${record.version} is ${found} at ${owner}/${repo}, expected the tree ${record.tree}`,
    {
      hint: `push the tag with \`git push\`, then run the same command again`,
      details: { tag, found, expected: record.tree },
    },
  )
}

/** What a tag marks, whatever annotations are in between. */
async function tagTarget(
  client: GithubClient,
  tag: string,
): Promise<{ readonly sha: string; readonly type: string } | undefined> {
  try {
    const ref = await client.call(`look for tag ${tag}`, ({ rest }) =>
      rest.git.getRef({ ...client.path, ref: `tags/${tag}` }),
    )
    if (ref.object.type !== 'tag') return ref.object
    const { sha } = ref.object
    const annotated = await client.call(`look at tag ${tag}`, ({ rest }) =>
      rest.git.getTag({ ...client.path, tag_sha: sha }),
    )
    return annotated.object
  } catch (caught) {
    if (isAnswer(caught, 404)) return undefined
    throw caught
  }
}
