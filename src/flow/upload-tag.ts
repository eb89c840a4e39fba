import { ReleaseError } from '../core/error.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import type { Clone } from './publisher.ts'

/**
 * Check that the tag of a release is in the clone and marks what was built.
 *
 * Errors: RELEASE_UNTAGGED.
 */
export async function assertTagged(clone: Clone, record: ReleaseRecord, tag: string): Promise<void> {
  const ref = `refs/tags/${tag}`
  const isThere = await clone.git.ask(['rev-parse', '--quiet', '--verify', `${ref}^{tree}`])
  const tree = isThere ? (await clone.git.run(['rev-parse', `${ref}^{tree}`])).trim() : 'missing'
  if (tree === record.tree) return
  throw new ReleaseError(
    'RELEASE_UNTAGGED',
    `the tag ${tag} of ${record.name} ${record.version} is ${tree} in ${clone.places.root}, expected the tree ${record.tree}`,
    { details: { tag, found: tree, expected: record.tree } },
  )
}

/** What became of a tag on the remote. */
export type PushedTag =
  | { readonly kind: 'pushed'; readonly branch: string | undefined }
  | { readonly kind: 'present' }
  | { readonly kind: 'no-remote' }

/**
 * Push a release's tag, and the branch up to it, in one transaction of the remote.
 *
 * Shape: the branch goes along when the tag's commit is on the one that is checked out; exactly up to the tag, never further.
 * Errors: TAG_PUSH (refused, unreachable, or another tag of the same name is there). A second call finds it present.
 */
export async function pushTag(clone: Clone, tag: string, remote: string): Promise<PushedTag> {
  const { git } = clone
  const remotes = (await git.run(['remote'])).split('\n')
  if (!remotes.includes(remote)) return { kind: 'no-remote' }
  const ref = `refs/tags/${tag}`
  try {
    const own = (await git.run(['rev-parse', ref])).trim()
    const there = (await git.run(['ls-remote', remote, ref])).split('\t')[0]?.trim()
    if (there === own) return { kind: 'present' }
    if (there) throw otherTag(tag, remote, there, own)
    const branch = await branchOf(clone, ref)
    const branchRef = branch === undefined ? [] : [`${ref}^{commit}:refs/heads/${branch}`]
    await git.run(['push', '--quiet', '--atomic', remote, `${ref}:${ref}`, ...branchRef])
    return { kind: 'pushed', branch }
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || caught.code !== 'GIT_FAILED') throw caught
    throw new ReleaseError('TAG_PUSH', `the tag ${tag} could not be pushed to ${remote}: ${caught.message}`, {
      cause: caught,
      details: { tag, remote },
    })
  }
}

async function branchOf({ git }: Clone, ref: string): Promise<string | undefined> {
  if (!(await git.ask(['symbolic-ref', '--quiet', 'HEAD']))) return undefined
  if (!(await git.ask(['merge-base', '--is-ancestor', ref, 'HEAD']))) return undefined
  return (await git.run(['symbolic-ref', '--short', 'HEAD'])).trim()
}

function otherTag(tag: string, remote: string, found: string, expected: string): ReleaseError {
  return new ReleaseError('TAG_PUSH', `${remote} has a tag ${tag} that is ${found}, expected ${expected}`, {
    hint: 'somebody else made a release of this version: cut a new one',
    details: { tag, remote, found, expected },
  })
}
