import { stableJson } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import { isVersion } from '../core/version.ts'
import { Fields } from '../payload/fields.ts'
import { bundleAddress } from '../sys/bundle-file.ts'
import { parseJson } from '../sys/files.ts'
import { readBytes, resolveUrl } from '../sys/http.ts'

/** The file of a bundle that says what is in it. */
export const bundleContentsKey = 'bundle.json'

/**
 * What a bundle says of itself. Nobody signs it: it tells where to look, and what is found there is verified.
 *
 * A bundle is a tar of a part of a repository, under the keys that trust/layout.ts names: unpacked, it is a repository.
 */
export interface BundleContents {
  readonly schema: 1
  readonly application: string
  /** Where the repository says that clients reach it. */
  readonly repository: string
  /** In order of precedence, oldest first. */
  readonly releases: readonly BundledRelease[]
}

/** A release that can be installed from a bundle, with the delta packs that are there. */
export interface BundledRelease {
  readonly version: string
  readonly deltas: readonly { readonly from: string }[]
}

const maxContentsBytes = 1024 * 1024

/** Write what a bundle says of itself. */
export function bundleContentsBytes(contents: BundleContents): Buffer {
  return Buffer.from(stableJson(contents))
}

/** Read what a bundle says of itself. Errors: BUNDLE_UNKNOWN, BUNDLE_INVALID, DOCUMENT_INVALID, DOCUMENT_NEWER, FILE_IO. */
export async function readBundleContents(file: string): Promise<BundleContents> {
  const bytes = await readBytes(resolveUrl(bundleAddress(file), bundleContentsKey), maxContentsBytes)
  if (bytes === undefined) {
    throw new ReleaseError('BUNDLE_INVALID', `${file} has no ${bundleContentsKey}: it is a tar, and no bundle`, {
      details: { path: file },
    })
  }
  return parseContents(bytes, `${bundleContentsKey} of ${file}`)
}

function parseContents(bytes: Buffer, place: string): BundleContents {
  const value = parseJson(bytes.toString('utf8'), place)
  const fields = new Fields(value, 'DOCUMENT_INVALID', place)
  const schema = fields.integer('schema', 1, Number.MAX_SAFE_INTEGER)
  if (schema > 1) throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${schema}, this version reads 1`)
  for (const name of ['application', 'repository']) fields.text(name)
  for (const [release] of fields.objects('releases')) {
    release.text('version', isVersion)
    for (const [delta] of release.objects('deltas')) delta.text('from', isVersion)
  }
  return value as BundleContents
}
