import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { type Change, type RecordedDisk, rootInode } from './recorded-disk.ts'

/*
 * What may be on a disk after the power went. The promises that are counted on are POSIX's and no more: fsync of a file keeps its bytes and
 * mode, fsync of a folder keeps its names, in whatever order. What was not waited for may be there or not: of the names in
 * a folder the last ones may be missing; of a file's bytes all, the last ones, or the half of one write, or there may be zeros.
 */

/** What became of the bytes of a file that nobody waited for. */
export type Bytes =
  | { readonly kind: 'kept' }
  | { readonly kind: 'lost' }
  /** So many writes are there; of the next one the first half, or as many zeros. */
  | { readonly kind: 'torn'; readonly writes: number; readonly rest: 'half' | 'zeros' }

/** How a disk treats what nobody waited for. Pure. */
export interface Fate {
  readonly name: string
  /** How many of a folder's pending changes of names are there. */
  readonly names: (folder: number, pending: number) => number
  readonly bytes: (file: number, pending: number) => Bytes
}

/** What is on a disk: by path, the folders first. */
export type DiskImage = ReadonlyMap<
  string,
  { readonly type: 'file' | 'folder' | 'link'; readonly mode: number; readonly content: Buffer }
>

/** What of the first `count` changes a disk has. */
export function imageAt(disk: RecordedDisk, count: number, fate: Fate): DiskImage {
  const durable = durableAmong(disk, count)
  const names = keptNames(disk, count, { durable, fate })
  const modes = keptModes(disk, count, { durable, fate })
  const written = writesByFile(disk, count)
  const image = new Map<string, { type: 'file' | 'folder' | 'link'; mode: number; content: Buffer }>()
  const walk = (id: number, place: string) => {
    const { type, mode, linkTarget } = disk.inodes.get(id)!
    const content =
      type === 'file' ? keptBytes(disk, written.get(id) ?? [], { inode: id, durable, fate }) : Buffer.from(linkTarget)
    image.set(place, { type, mode: modes.get(id) ?? mode, content })
    for (const [name, inner] of names.get(id) ?? []) walk(inner, path.join(place, name))
  }
  walk(rootInode, '.')
  return image
}

interface Kept {
  /** For each change whether it was waited for. */
  readonly durable: readonly boolean[]
  readonly fate: Fate
}

function durableAmong({ changes }: RecordedDisk, count: number): readonly boolean[] {
  const durable = new Array<boolean>(count).fill(false)
  const synced = new Set<number>()
  let isAllSynced = false
  for (let index = count - 1; index >= 0; index -= 1) {
    const change = changes[index]!
    if (change.kind === 'sync-all') isAllSynced = true
    else if (change.kind === 'sync') synced.add(change.inode)
    else durable[index] = isAllSynced || inodesOf(change).some(inode => synced.has(inode))
  }
  return durable
}

/** The inodes of which one must be synced for a change to be durable. */
function inodesOf(change: Change): readonly number[] {
  if (change.kind === 'names') return change.set.map(({ folder }) => folder)
  return 'inode' in change ? [change.inode] : []
}

function keptNames({ changes, names }: RecordedDisk, count: number, { durable, fate }: Kept) {
  const kept = new Map([...names].map(([id, entries]) => [id, new Map(entries)]))
  const pending = new Map<number, number[]>()
  for (let index = 0; index < count; index += 1) {
    const change = changes[index]!
    if (change.kind !== 'names' || durable[index]) continue
    for (const { folder } of change.set) pending.set(folder, [...(pending.get(folder) ?? []), index])
  }
  const lost = new Set<number>()
  for (const [folder, indexes] of pending) {
    for (const index of indexes.slice(fate.names(folder, indexes.length))) lost.add(index)
  }
  for (let index = 0; index < count; index += 1) {
    const change = changes[index]!
    if (change.kind !== 'names' || lost.has(index)) continue
    for (const { folder, name, inode } of change.set) {
      const entries = kept.get(folder) ?? new Map<string, number>()
      kept.set(folder, entries)
      if (inode === undefined) entries.delete(name)
      else entries.set(name, inode)
    }
  }
  return kept
}

/** A mode goes with the bytes: both are the inode's. */
function keptModes({ changes }: RecordedDisk, count: number, { durable, fate }: Kept): ReadonlyMap<number, number> {
  const modes = new Map<number, number>()
  for (let index = 0; index < count; index += 1) {
    const change = changes[index]!
    if (change.kind !== 'mode') continue
    if (durable[index] || fate.bytes(change.inode, 1).kind === 'kept') modes.set(change.inode, change.mode)
  }
  return modes
}

/** The changes of each file's bytes, by their places in the list. */
function writesByFile({ changes }: RecordedDisk, count: number): ReadonlyMap<number, readonly number[]> {
  const written = new Map<number, number[]>()
  for (let index = 0; index < count; index += 1) {
    const change = changes[index]!
    if (change.kind !== 'write' && change.kind !== 'truncate') continue
    const own = written.get(change.inode) ?? []
    own.push(index)
    written.set(change.inode, own)
  }
  return written
}

function keptBytes(
  { changes, bytes }: RecordedDisk,
  own: readonly number[],
  { inode, durable, fate }: Kept & { readonly inode: number },
): Buffer {
  const pending = own.filter(index => !durable[index])
  const outcome = pending.length === 0 ? ({ kind: 'kept' } as const) : fate.bytes(inode, pending.length)
  const kept = outcome.kind === 'kept' ? pending.length : outcome.kind === 'lost' ? 0 : outcome.writes
  const lost = new Set(pending.slice(kept))
  let content = bytes.get(inode) ?? Buffer.alloc(0)
  for (const index of own) if (!lost.has(index)) content = applied(content, changes[index]!)
  const torn = outcome.kind === 'torn' ? changes[pending[kept] ?? -1] : undefined
  if (torn?.kind !== 'write' || outcome.kind !== 'torn') return content
  const half = torn.bytes.subarray(0, torn.bytes.byteLength >> 1)
  const rest = outcome.rest === 'half' ? half : Buffer.alloc(torn.bytes.byteLength)
  return applied(content, { ...torn, bytes: rest })
}

function applied(content: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') {
    const cut = Buffer.alloc(change.sizeBytes)
    content.copy(cut)
    return cut
  }
  if (change.kind !== 'write') return content
  const grown = Buffer.alloc(Math.max(content.byteLength, change.offset + change.bytes.byteLength))
  content.copy(grown)
  change.bytes.copy(grown, change.offset)
  return grown
}

/** Name an image by its content, so that no two that are the same are tried. */
export function imageDigest(image: DiskImage): string {
  const hash = createHash('sha256')
  for (const [place, { type, mode, content }] of [...image].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${place}\0${type}\0${mode}\0${content.byteLength}\0`).update(content)
  }
  return hash.digest('hex')
}

/** Write an image to a folder that is not there. */
export function writeImage(image: DiskImage, root: string): void {
  for (const [place, { type, mode, content }] of image) {
    const target = path.join(root, place)
    if (type === 'folder') fs.mkdirSync(target)
    else if (type === 'link') fs.symlinkSync(content.toString(), target)
    else fs.writeFileSync(target, content)
    if (type !== 'link') fs.chmodSync(target, mode)
  }
}

const all = (_: number, pending: number) => pending
const none = () => 0
const kept = () => ({ kind: 'kept' }) as const
const lost = () => ({ kind: 'lost' }) as const

/** The fates that file systems are known for. */
export const commonFates: readonly Fate[] = [
  { name: 'all that nobody waited for is lost', names: none, bytes: lost },
  { name: 'names are there, their bytes are not', names: all, bytes: lost },
  {
    name: 'names are there, of the bytes the half',
    names: all,
    bytes: () => ({ kind: 'torn', writes: 0, rest: 'half' }),
  },
  {
    name: 'names are there, of the bytes zeros',
    names: all,
    bytes: () => ({ kind: 'torn', writes: 0, rest: 'zeros' }),
  },
  { name: 'bytes are there, names are not', names: none, bytes: kept },
]

/** One folder's names came to the disk before everything else. */
export const onlyFolder = (folder: number): Fate => ({
  name: `only the names in folder ${folder} are there`,
  names: (id, pending) => (id === folder ? pending : 0),
  bytes: kept,
})

/** A fate of chance, the same for the same seed. */
export function randomFate(seed: number): Fate {
  const roll = (...about: readonly number[]) => {
    const digest = createHash('sha256')
      .update([seed, ...about].join())
      .digest()
    return digest.readUInt32LE() / 2 ** 32
  }
  return {
    name: `chance ${seed}`,
    names: (folder, pending) => Math.floor(roll(1, folder) * (pending + 1)),
    bytes: (file, pending) => {
      const kind = Math.floor(roll(2, file) * 4)
      if (kind === 0) return { kind: 'kept' }
      if (kind === 1) return { kind: 'lost' }
      return { kind: 'torn', writes: Math.floor(roll(3, file) * pending), rest: kind === 2 ? 'half' : 'zeros' }
    },
  }
}
