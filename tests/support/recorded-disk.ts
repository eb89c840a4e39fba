import fs from 'node:fs'
import path from 'node:path'
import { bytesOf, descriptorOf, type Syscall, textOf } from './syscall-trace.ts'

/*
 * What a command did to the files below a folder, as changes that a disk may or may not have when the power goes: names in folders,
 * bytes and modes of files, and what was made durable when. Files and folders are known by numbers, as inodes are, for names change.
 */

/** A file, folder or link. What is in it follows from the changes. */
export interface Inode {
  readonly id: number
  readonly type: 'file' | 'folder' | 'link'
  readonly mode: number
  readonly linkTarget: string
}

/** One change, or the end of a wait for the disk. */
export type Change =
  /** Names appear or go, together or not at all: a rename does both. */
  | { readonly kind: 'names'; readonly set: readonly NameChange[] }
  | { readonly kind: 'write'; readonly inode: number; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly inode: number; readonly sizeBytes: number }
  | { readonly kind: 'mode'; readonly inode: number; readonly mode: number }
  | { readonly kind: 'sync'; readonly inode: number }
  | { readonly kind: 'sync-all' }
  /** Something was told to whoever started the command. */
  | { readonly kind: 'told'; readonly text: string }

export interface NameChange {
  readonly folder: number
  readonly name: string
  /** Undefined where the name goes. */
  readonly inode: number | undefined
}

/** Everything that was there and that came, and the changes in their order. */
export interface RecordedDisk {
  readonly inodes: ReadonlyMap<number, Inode>
  /** What was there before: names by folder, bytes by file. */
  readonly names: ReadonlyMap<number, ReadonlyMap<string, number>>
  readonly bytes: ReadonlyMap<number, Buffer>
  readonly changes: readonly Change[]
  /** The path at which an inode was first seen, for messages. */
  readonly pathOf: (inode: number) => string
}

/** The folder itself. */
export const rootInode = 0

/** Work out what a command did below `root`, of which `before` is a copy from before it ran. */
export function recordDisk(before: string, root: string, calls: readonly Syscall[]): RecordedDisk {
  const recorder = new Recorder(root)
  recorder.load(before)
  for (const call of calls) recorder.take(call)
  return recorder.recorded()
}

class Recorder {
  readonly #root: string
  readonly #inodes = new Map<number, Inode>()
  readonly #paths = new Map<number, string>()
  /** As the command sees it. */
  readonly #names = new Map<number, Map<string, number>>()
  readonly #sizes = new Map<number, number>()
  readonly #bytes = new Map<number, Buffer>()
  readonly #positions = new Map<string, { offset: number | 'end' }>()
  readonly #changes: Change[] = []
  #before: ReadonlyMap<number, ReadonlyMap<string, number>> = new Map()

  constructor(root: string) {
    this.#root = root
  }

  load(folder: string): void {
    this.#loadFolder(
      folder,
      this.#make({ type: 'folder', mode: fs.statSync(folder).mode & 0o7777, linkTarget: '' }, ''),
    )
    this.#before = new Map([...this.#names].map(([id, names]) => [id, new Map(names)]))
  }

  #loadFolder(folder: string, id: number): void {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const place = path.join(folder, entry.name)
      const mode = fs.lstatSync(place).mode & 0o7777
      const type = entry.isDirectory() ? 'folder' : entry.isSymbolicLink() ? 'link' : 'file'
      const linkTarget = type === 'link' ? fs.readlinkSync(place) : ''
      const inode = this.#make({ type, mode, linkTarget }, `${this.#paths.get(id)}/${entry.name}`)
      this.#names.get(id)!.set(entry.name, inode)
      if (type === 'folder') this.#loadFolder(place, inode)
      if (type !== 'file') continue
      const bytes = fs.readFileSync(place)
      this.#bytes.set(inode, bytes)
      this.#sizes.set(inode, bytes.byteLength)
    }
  }

  recorded(): RecordedDisk {
    return {
      inodes: this.#inodes,
      names: this.#before,
      bytes: this.#bytes,
      changes: this.#changes,
      pathOf: inode => this.#paths.get(inode) ?? '',
    }
  }

  take(call: Syscall): void {
    if (call.result >= 0) handlers[call.name]?.(this, call)
  }

  open({ args, result, resultPath }: Syscall, place: string, flags: string, mode: string | undefined): void {
    if (args.length === 0 || !this.#isBelow(place) || !/O_WRONLY|O_RDWR/.test(flags)) return
    let inode = this.#find(place)
    if (inode === undefined) {
      // The mode as the system has it: with the umask taken off, which the tests do not change.
      const made = this.#make(
        { type: 'file', mode: Number.parseInt(mode ?? '0', 8) & ~process.umask(), linkTarget: '' },
        place,
      )
      this.#sizes.set(made, 0)
      this.#name(place, made)
      inode = made
    } else if (flags.includes('O_TRUNC') && (this.#sizes.get(inode) ?? 0) > 0) this.#truncate(inode, 0)
    const position = { offset: flags.includes('O_APPEND') ? ('end' as const) : 0 }
    this.#positions.set(`${result}:${resultPath}`, position)
  }

  duplicate(from: string, result: number, resultPath: string | undefined): void {
    const descriptor = descriptorOf(from)
    const position = this.#positions.get(`${descriptor.number}:${descriptor.path}`)
    if (position !== undefined) this.#positions.set(`${result}:${resultPath}`, position)
  }

  write(descriptor: string, bytes: Buffer, at: number | undefined): void {
    const { number, path: place } = descriptorOf(descriptor)
    if (!this.#isBelow(place)) {
      if (number === 1) this.#changes.push({ kind: 'told', text: bytes.toString() })
      return
    }
    const inode = this.#find(place)
    if (inode === undefined) throw new Error(`a write to ${place}, which nobody opened`)
    const position = this.#positions.get(`${number}:${place}`)
    const size = this.#sizes.get(inode) ?? 0
    const offset = at ?? (position === undefined || position.offset === 'end' ? size : position.offset)
    if (at === undefined && position !== undefined && position.offset !== 'end') position.offset += bytes.byteLength
    this.#sizes.set(inode, Math.max(size, offset + bytes.byteLength))
    this.#changes.push({ kind: 'write', inode, offset, bytes })
  }

  truncateAt(place: string, sizeBytes: number): void {
    const inode = this.#find(place)
    if (inode !== undefined) this.#truncate(inode, sizeBytes)
  }

  #truncate(inode: number, sizeBytes: number): void {
    this.#sizes.set(inode, sizeBytes)
    this.#changes.push({ kind: 'truncate', inode, sizeBytes })
  }

  sync(place: string): void {
    const inode = this.#find(place)
    if (inode !== undefined) this.#changes.push({ kind: 'sync', inode })
  }

  syncAll(): void {
    this.#changes.push({ kind: 'sync-all' })
  }

  chmod(place: string, mode: number): void {
    const inode = this.#find(place, { follow: true })
    if (inode !== undefined) this.#changes.push({ kind: 'mode', inode, mode })
  }

  makeFolder(place: string, mode: number): void {
    if (!this.#isBelow(place)) return
    this.#name(place, this.#make({ type: 'folder', mode: mode & ~process.umask(), linkTarget: '' }, place))
  }

  makeLink(target: string, place: string): void {
    if (this.#isBelow(place)) this.#name(place, this.#make({ type: 'link', mode: 0o777, linkTarget: target }, place))
  }

  linkTo(from: string, place: string): void {
    const inode = this.#find(from)
    if (inode !== undefined && this.#isBelow(place)) this.#name(place, inode)
  }

  remove(place: string): void {
    if (this.#isBelow(place)) this.#name(place, undefined)
  }

  rename(from: string, to: string): void {
    const inode = this.#find(from)
    if (inode === undefined) return
    const set = [this.#change(from, undefined), this.#change(to, inode)]
    this.#changes.push({ kind: 'names', set })
  }

  #name(place: string, inode: number | undefined): void {
    this.#changes.push({ kind: 'names', set: [this.#change(place, inode)] })
  }

  #change(place: string, inode: number | undefined): NameChange {
    const folder = this.#find(path.dirname(place), { follow: true })
    if (folder === undefined) throw new Error(`${place} is in a folder that nobody made`)
    const name = path.basename(place)
    if (inode === undefined) this.#names.get(folder)!.delete(name)
    else this.#names.get(folder)!.set(name, inode)
    return { folder, name, inode }
  }

  #make(about: Omit<Inode, 'id'>, place: string): number {
    const id = this.#inodes.size
    this.#inodes.set(id, { id, ...about })
    this.#paths.set(id, place.replace(this.#root, ''))
    if (about.type === 'folder') this.#names.set(id, new Map())
    return id
  }

  #isBelow(place: string): boolean {
    return place === this.#root || place.startsWith(`${this.#root}/`)
  }

  /** The inode of a path below the root; links on the way are followed. */
  #find(place: string, options: { readonly follow?: boolean } = {}): number | undefined {
    if (!this.#isBelow(place)) return undefined
    let inode: number | undefined = rootInode
    let at = this.#root
    const names = path
      .relative(this.#root, place)
      .split('/')
      .filter(name => name !== '')
    for (const [index, name] of names.entries()) {
      inode = this.#names.get(inode)?.get(name)
      if (inode === undefined) return undefined
      const { type, linkTarget } = this.#inodes.get(inode)!
      const isLast = index === names.length - 1
      if (type === 'link' && (!isLast || options.follow === true)) {
        const rest = names.slice(index + 1).join('/')
        return this.#find(path.resolve(at, linkTarget, rest), options)
      }
      at = path.join(at, name)
    }
    return inode
  }
}

/** The path of arguments like those of openat(2). */
const at = (descriptor: string, relative: string) => path.resolve(descriptorOf(descriptor).path, textOf(relative))

type Handler = (recorder: Recorder, call: Syscall) => void

const handlers: Readonly<Record<string, Handler>> = {
  openat: (recorder, call) => {
    const [folder = '', name = '', flags = '', mode] = call.args
    recorder.open(call, at(folder, name), flags, mode)
  },
  dup: (recorder, { args, result, resultPath }) => recorder.duplicate(args[0]!, result, resultPath),
  dup2: (recorder, { args, result, resultPath }) => recorder.duplicate(args[0]!, result, resultPath),
  dup3: (recorder, { args, result, resultPath }) => recorder.duplicate(args[0]!, result, resultPath),
  write: (recorder, { args, result }) => recorder.write(args[0]!, bytesOf(args[1]!).subarray(0, result), undefined),
  writev: (recorder, { args, result }) => recorder.write(args[0]!, bytesOf(args[1]!).subarray(0, result), undefined),
  pwrite64: (recorder, { args, result }) =>
    recorder.write(args[0]!, bytesOf(args[1]!).subarray(0, result), Number(args[3])),
  pwritev: (recorder, { args, result }) =>
    recorder.write(args[0]!, bytesOf(args[1]!).subarray(0, result), Number(args[3])),
  ftruncate: (recorder, { args }) => recorder.truncateAt(descriptorOf(args[0]!).path, Number(args[1])),
  truncate: (recorder, { args }) => recorder.truncateAt(textOf(args[0]!), Number(args[1])),
  fsync: (recorder, { args }) => recorder.sync(descriptorOf(args[0]!).path),
  fdatasync: (recorder, { args }) => recorder.sync(descriptorOf(args[0]!).path),
  sync: recorder => recorder.syncAll(),
  syncfs: recorder => recorder.syncAll(),
  chmod: (recorder, { args }) => recorder.chmod(textOf(args[0]!), Number.parseInt(args[1]!, 8)),
  fchmod: (recorder, { args }) => recorder.chmod(descriptorOf(args[0]!).path, Number.parseInt(args[1]!, 8)),
  fchmodat: (recorder, { args }) => recorder.chmod(at(args[0]!, args[1]!), Number.parseInt(args[2]!, 8)),
  mkdir: (recorder, { args }) => recorder.makeFolder(textOf(args[0]!), Number.parseInt(args[1]!, 8)),
  mkdirat: (recorder, { args }) => recorder.makeFolder(at(args[0]!, args[1]!), Number.parseInt(args[2]!, 8)),
  symlink: (recorder, { args }) => recorder.makeLink(textOf(args[0]!), textOf(args[1]!)),
  symlinkat: (recorder, { args }) => recorder.makeLink(textOf(args[0]!), at(args[1]!, args[2]!)),
  link: (recorder, { args }) => recorder.linkTo(textOf(args[0]!), textOf(args[1]!)),
  linkat: (recorder, { args }) => recorder.linkTo(at(args[0]!, args[1]!), at(args[2]!, args[3]!)),
  unlink: (recorder, { args }) => recorder.remove(textOf(args[0]!)),
  unlinkat: (recorder, { args }) => recorder.remove(at(args[0]!, args[1]!)),
  rmdir: (recorder, { args }) => recorder.remove(textOf(args[0]!)),
  rename: (recorder, { args }) => recorder.rename(textOf(args[0]!), textOf(args[1]!)),
  renameat: (recorder, { args }) => recorder.rename(at(args[0]!, args[1]!), at(args[2]!, args[3]!)),
  renameat2: (recorder, { args }) => recorder.rename(at(args[0]!, args[1]!), at(args[2]!, args[3]!)),
}
