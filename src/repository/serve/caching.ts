/*
 * What readers may keep for how long. The expressions are read by JavaScript and by nginx (PCRE) alike: a server of ours and the one
 * of a vendor answer the same.
 */

/** What stands before a path that is answered from a dated state of the apt suites. */
export const snapshotPrefix = '/snapshot/[0-9]{8}T[0-9]{6}Z'

/** The paths below a dated state whose files are those of the repository itself. */
export const sharedPath = '(?:pool|dists/.+/by-hash)/.+'

/** Paths that have the same bytes for ever, or none any more. */
export const immutablePaths: readonly string[] = [
  `^(?:${snapshotPrefix})?/${sharedPath}`,
  '^/oci/[^/]+/blobs/',
  // Numbered metadata, and targets under their digests.
  '^/metadata/[0-9]+[.]',
  '^/targets/(?:.+/)?[0-9a-f]{64}[.]',
]

/** What is said of bytes that never change. */
export const immutableControl = 'public, max-age=31536000, immutable'

/** What is said of everything else: it may be kept, and is asked about each time. */
export const pointerControl = 'no-cache'

const immutablePattern = new RegExp(immutablePaths.join('|'))

/** Tell how long what is at a path may be kept. Source: RFC 9111 §5.2.2, RFC 8246. */
export function cacheControlOf(path: string): string {
  return immutablePattern.test(path) ? immutableControl : pointerControl
}
