import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { type Digest, Digester } from '../../core/digest.ts'
import { isErrno, toReleaseError } from '../../core/error.ts'
import { listFiles, removeFile, syncAll } from '../../sys/files.ts'
import { takeLock } from '../../sys/lock.ts'
import type { Content, WriteOutcome } from '../target.ts'
import { assertSent, conflict } from './conflict.ts'
import { digestFile } from './read-file.ts'

/** An object that is going to stand in a folder. */
export interface Addition {
  readonly key: string
  readonly file: string
  readonly content: Content
  /** Nothing may be there; otherwise it takes the place of what is. */
  readonly isNew: boolean
  /** A file with the same bytes. */
  readonly twin: string | undefined
}

/** Where objects are made, and for which folder. */
export interface StagePlace {
  readonly root: string
  readonly incoming: string
  readonly link: (from: string, to: string) => void
}

interface Staged {
  readonly key: string
  readonly file: string
  readonly temporary: string
  readonly digest: Digest
  readonly isNew: boolean
  /** Its bytes are those of a file that is in place. */
  readonly isDurable: boolean
}

/** Publishers take no longer than this to put in place what they have made. */
const leftoverMs = 24 * 3600 * 1000
/** How file systems without hard links say so, and those that have no more of them. */
const unlinkable: readonly string[] = ['EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/**
 * Objects that are made but not yet in place, in a folder of their own on the same file system.
 *
 * All of them become durable together, and then take their names: a sync for each would cost a disk's wait for each.
 */
export class Stage {
  readonly #root: string
  readonly #incoming: string
  readonly #staged = new Map<string, Staged>()
  readonly #dirtyFolders = new Set<string>()

  readonly #link: (from: string, to: string) => void

  constructor({ root, incoming, link }: StagePlace) {
    this.#root = root
    this.#incoming = incoming
    this.#link = link
  }

  /** Name the file that has the bytes of `file` now. */
  find(file: string): string {
    return this.#staged.get(file)?.temporary ?? file
  }

  /** Make an object. Errors: RELEASE_DAMAGED, FILE_NO_SPACE, FILE_IO; nothing is left then. */
  async add({ key, file, content, isNew, twin }: Addition): Promise<WriteOutcome> {
    this.#makeFolder(this.#incoming)
    const temporary = path.join(this.#incoming, `${randomBytes(8).toString('hex')}.tmp`)
    const isLinked = twin !== undefined && this.#tryLink(this.find(twin), temporary)
    if (!isLinked) await writeTemporary(temporary, key, content)
    const isDurable = isLinked && !this.#staged.has(twin)
    this.#drop(file)
    this.#staged.set(file, { key, file, temporary, digest: content.digest, isNew, isDurable })
    return isLinked ? 'linked' : 'written'
  }

  /** Put one object in place. Post: its bytes are durable, its name is with the next {@link commitAll}. */
  async commit(file: string): Promise<void> {
    const staged = this.#staged.get(file)
    if (staged === undefined) return
    await syncAll([staged.temporary])
    await this.#place(staged)
  }

  /** Put everything in place, in the order in which it was made. Post: bytes and names are durable. Errors: REPOSITORY_CONFLICT, FILE_IO. */
  async commitAll(): Promise<void> {
    const all = [...this.#staged.values()]
    await syncAll(all.filter(({ isDurable }) => !isDurable).map(({ temporary }) => temporary))
    for (const staged of all) await this.#place(staged)
    const folders = [...this.#dirtyFolders]
    this.#dirtyFolders.clear()
    await syncAll(folders)
  }

  /** Remove an object, and the folders that it leaves empty. */
  remove(file: string): void {
    this.#drop(file)
    removeFile(file)
    this.#dirtyFolders.add(path.dirname(file))
    for (let folder = path.dirname(file); folder !== this.#root; folder = path.dirname(folder)) {
      if (!removeIfEmpty(folder)) return
      this.#dirtyFolders.add(path.dirname(folder))
    }
  }

  /** Remove what killed publishers left. */
  removeLeftovers(): void {
    const oldestMs = Date.now() - leftoverMs
    for (const name of listFiles(this.#incoming)) {
      const file = path.join(this.#incoming, name)
      const stat = fs.statSync(file, { throwIfNoEntry: false })
      if (stat !== undefined && stat.mtimeMs < oldestMs) removeFile(file)
    }
  }

  #drop(file: string): void {
    const staged = this.#staged.get(file)
    if (staged === undefined) return
    this.#staged.delete(file)
    removeFile(staged.temporary)
  }

  async #place(staged: Staged): Promise<void> {
    this.#makeFolder(path.dirname(staged.file))
    try {
      if (staged.isNew) await this.#placeNew(staged)
      else renameOver(staged.temporary, staged.file)
    } catch (caught) {
      throw toReleaseError(caught)
    }
    this.#dirtyFolders.add(path.dirname(staged.file))
    this.#drop(staged.file)
  }

  /** link(2) refuses where rename(2) would overwrite. */
  async #placeNew(staged: Staged): Promise<void> {
    const { temporary, file } = staged
    try {
      this.#link(temporary, file)
    } catch (caught) {
      if (isErrno(caught, 'EEXIST')) return await this.#assertSame(staged)
      if (!isErrno(caught, ...unlinkable, 'EXDEV')) throw caught
      // Without hard links it is a lock that makes looking and renaming one step, for those who publish.
      const lock = await takeLock(`${this.#incoming}.lock`, { command: 'a publisher', waitMs: 60_000 })
      try {
        if (fs.existsSync(file)) return await this.#assertSame(staged)
        renameOver(temporary, file)
      } finally {
        lock.release()
      }
    }
  }

  /** Another publisher may have been faster with the same object; and a network file system may say so of our own, when its answer was lost. */
  async #assertSame({ key, file, digest }: Staged): Promise<void> {
    const found = (await digestFile(file))?.digest
    if (found !== digest) throw conflict(this.#root, key, { found, expected: digest })
  }

  /** Link to bytes that are there already. False where the file system cannot. */
  #tryLink(from: string, to: string): boolean {
    try {
      this.#link(from, to)
      return true
    } catch (caught) {
      if (isErrno(caught, ...unlinkable, 'EXDEV', 'ENOENT')) return false
      throw toReleaseError(caught)
    }
  }

  /** Make a folder and those above it, mode 0755 whatever the umask. */
  #makeFolder(folder: string): void {
    if (fs.existsSync(folder)) return
    this.#makeFolder(path.dirname(folder))
    try {
      fs.mkdirSync(folder)
      fs.chmodSync(folder, 0o755)
    } catch (caught) {
      if (!isErrno(caught, 'EEXIST')) throw toReleaseError(caught)
    }
    this.#dirtyFolders.add(path.dirname(folder))
  }
}

/** rename(2), also into a folder that something else is mounted on: then the bytes go there first. */
function renameOver(temporary: string, file: string): void {
  try {
    fs.renameSync(temporary, file)
  } catch (caught) {
    if (!isErrno(caught, 'EXDEV')) throw caught
    const beside = path.join(path.dirname(file), `.${path.basename(temporary)}`)
    try {
      fs.copyFileSync(temporary, beside)
      syncFile(beside)
      fs.renameSync(beside, file)
    } finally {
      fs.rmSync(beside, { force: true })
    }
  }
}

function syncFile(file: string): void {
  const descriptor = fs.openSync(file, 'r+')
  try {
    fs.fchmodSync(descriptor, 0o644)
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

async function writeTemporary(temporary: string, key: string, content: Content): Promise<void> {
  const digester = new Digester()
  try {
    const descriptor = fs.openSync(temporary, 'wx', 0o644)
    try {
      for await (const piece of content.open()) {
        content.signal?.throwIfAborted()
        digester.update(piece)
        fs.writeFileSync(descriptor, piece)
        content.onBytes?.(digester.sizeBytes)
      }
      fs.fchmodSync(descriptor, 0o644)
    } finally {
      fs.closeSync(descriptor)
    }
    assertSent(key, digester.digest(), content.digest)
  } catch (caught) {
    fs.rmSync(temporary, { force: true })
    throw isErrno(caught) ? toReleaseError(caught) : caught
  }
}

/** False when it is not empty: a network file system keeps a removed file there under another name while somebody reads it. */
function removeIfEmpty(folder: string): boolean {
  try {
    fs.rmdirSync(folder)
    return true
  } catch (caught) {
    if (isErrno(caught, 'ENOTEMPTY', 'EEXIST', 'EBUSY', 'ENOENT')) return false
    throw toReleaseError(caught)
  }
}
