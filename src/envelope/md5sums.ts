import { createHash, type Hash, hash } from 'node:crypto'
import type { SegmentSink } from '../payload/sink.ts'

/** The MD5 sums of a payload's files by path, taken while it is packed. */
export interface Md5Sums extends SegmentSink {
  readonly sums: ReadonlyMap<string, string>
}

/**
 * Collect MD5 sums for the `md5sums` of a Debian package, so that its files are not read again.
 *
 * They tell people (`dpkg --verify`, debsums) of accidents; nothing of ours trusts them.
 */
export function collectMd5sums(): Md5Sums {
  const sums = new Map<string, string>()
  let open: Hash | undefined
  return {
    sums,
    content: (path, bytes, isLast) => {
      if (isLast && open === undefined) {
        sums.set(path, hash('md5', bytes, 'hex'))
        return
      }
      open ??= createHash('md5')
      open.update(bytes)
      if (!isLast) return
      sums.set(path, open.digest('hex'))
      open = undefined
    },
  }
}
