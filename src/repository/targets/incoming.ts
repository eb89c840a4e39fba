import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { type Digest, Digester } from '../../core/digest.ts'
import { isErrno, toReleaseError } from '../../core/error.ts'
import { listFiles, removeFile, syncAll } from '../../sys/files.ts'
import { takeLock } from '../../sys/lock.ts'
import type { Content, WriteOutcome } from '../target.ts'
import { assertSent, conflict } from './conflict.ts'
import { digestFile, rememberWritten } from './read-file.ts'

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
export interface IncomingPlace {
  readonly root: string
  readonly folder: string
  readonly link: (from: string, to: string) => void
}

interface Waiting {
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
export class Incoming {
  readonly #root: string
  readonly #folder: string
  readonly #waiting = new Map<string, Waiting>()
  readonly #dirtyFolders = new Set<string>()

  readonly #link: (from: string, to: string) => void

  constructor({ root, folder, link }: IncomingPlace) {
    this.#root = root
    this.#folder = folder
    this.#link = link
  }

  /** Name the file that has the bytes of `file` now. */
  find(file: string): string {
    return this.#waiting.get(file)?.temporary ?? file
  }

  /** Make an object. Errors: RELEASE_DAMAGED, FILE_NO_SPACE, FILE_IO; nothing is left then. */
  async add({ key, file, content, isNew, twin }: Addition): Promise<WriteOutcome> {
    this.#makeFolder(this.#folder)
    const temporary = path.join(this.#folder, `${randomBytes(8).toString('hex')}.tmp`)
    const isLinked = twin !== undefined && this.#tryLink(this.find(twin), temporary)
    if (!isLinked) await writeTemporary(temporary, key, content)
    const isDurable = isLinked && !this.#waiting.has(twin)
    this.#drop(file)
    this.#waiting.set(file, { key, file, temporary, digest: content.digest, isNew, isDurable })
    return isLinked ? 'linked' : 'written'
  }

  /** Put one object in place. Post: its bytes are durable, its name is with the next {@link commitAll}. */
  async commit(file: string): Promise<void> {
    const waiting = this.#waiting.get(file)
    if (waiting === undefined) return
    await syncAll([waiting.temporary])
    await this.#place(waiting)
  }

  /** Put everything in place, in the order in which it was made. Post: bytes and names are durable. Errors: REPOSITORY_CONFLICT, FILE_IO. */
  async commitAll(): Promise<void> {
    const all = [...this.#waiting.values()]
    await syncAll(all.filter(({ isDurable }) => !isDurable).map(({ temporary }) => temporary))
    for (const waiting of all) await this.#place(waiting)
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
    for (const name of listFiles(this.#folder)) {
      const file = path.join(this.#folder, name)
      const stat = fs.statSync(file, { throwIfNoEntry: false })
      if (stat !== undefined && stat.mtimeMs < oldestMs) removeFile(file)
    }
  }

  #drop(file: string): void {
    const waiting = this.#waiting.get(file)
    if (waiting === undefined) return
    this.#waiting.delete(file)
    removeFile(waiting.temporary)
  }

  async #place(waiting: Waiting): Promise<void> {
    this.#makeFolder(path.dirname(waiting.file))
    try {
      if (waiting.isNew) await this.#placeNew(waiting)
      else renameOver(waiting.temporary, waiting.file)
    } catch (caught) {
      throw toReleaseError(caught)
    }
    this.#dirtyFolders.add(path.dirname(waiting.file))
    this.#drop(waiting.file)
  }

  /** link(2) refuses where rename(2) would overwrite. */
  async #placeNew(waiting: Waiting): Promise<void> {
    const { temporary, file } = waiting
    try {
      this.#link(temporary, file)
    } catch (caught) {
      if (isErrno(caught, 'EEXIST')) return await this.#assertSame(waiting)
      if (!isErrno(caught, ...unlinkable, 'EXDEV')) throw caught
      // Without hard links it is a lock that makes looking and renaming one step, for those who publish.
      const lock = await takeLock(`${this.#folder}.lock`, { command: 'a publisher', waitMs: 60_000 })
      try {
        if (fs.existsSync(file)) return await this.#assertSame(waiting)
        renameOver(temporary, file)
      } finally {
        lock.release()
      }
    }
  }

  /** Another publisher may have been faster with the same object; and a network file system may say so of our own, when its answer was lost. */
  async #assertSame({ key, file, digest }: Waiting): Promise<void> {
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
      assertSent(key, digester.digest(), content.digest)
      rememberWritten(descriptor, { sizeBytes: digester.sizeBytes, digest: content.digest })
    } finally {
      fs.closeSync(descriptor)
    }
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
