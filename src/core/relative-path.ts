import { ReleaseError } from './error.ts'

/**
 * Accept a path that must stay inside a folder: from an archive, a manifest, a recipe or a request.
 *
 * Post: no leading `/`, no `.` or `..` or empty segment, no NUL, newline or other control character, at most 4096 bytes,
 * each name at most 255 bytes. Errors: PATH_UNSAFE.
 */
export function parseRelativePath(text: string): string {
  const reason = unsafeReason(text)
  if (reason !== undefined) {
    throw new ReleaseError('PATH_UNSAFE', `unsafe path ${JSON.stringify(text.slice(0, 200))}: ${reason}`, {
      details: { path: text.slice(0, 200) },
    })
  }
  return text
}

/** Tell whether {@link parseRelativePath} would accept the path. */
export function isRelativePath(text: string): boolean {
  return unsafeReason(text) === undefined
}

const beyondSurrogates = /[\ud800-\uffff]/

/** Order two paths by their UTF-8 bytes, as tar members and manifests are ordered. */
export function compareBytes(a: string, b: string): number {
  // UTF-16 order differs from UTF-8 order only where surrogates meet U+E000..U+FFFF.
  if (beyondSurrogates.test(a) && beyondSurrogates.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}

/** A name that is empty, `.` or `..`. */
const oddName = /(?:^|\/)\.{0,2}(?:\/|$)/

function unsafeReason(text: string): string | undefined {
  if (text === '') return 'it is empty'
  if (text.startsWith('/')) return 'it is absolute'
  if (/[\u0000-\u001f\u007f]/.test(text)) return 'it holds a control character'
  if (Buffer.byteLength(text) > 4096) return 'it is longer than 4096 bytes'
  // Most paths are short and plain, and need no look at their names one by one.
  if (text.length <= 255 / 3 && !oddName.test(text)) return undefined
  for (const name of text.split('/')) {
    if (name === '' || name === '.' || name === '..') return `it holds the segment ${JSON.stringify(name)}`
    if (Buffer.byteLength(name) > 255) return 'a name in it is longer than 255 bytes'
  }
  return undefined
}
