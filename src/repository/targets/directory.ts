import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { Digester } from '../../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../../core/error.ts'
import { compareBytes, parseRelativePath } from '../../core/relative-path.ts'
import { syncFolder } from '../../sys/files.ts'
import { takeLock } from '../../sys/lock.ts'
import type { Content, StoredObject, TargetWriter, WriteOutcome } from '../target.ts'

/** The hidden folder of a repository that is never served. */
const privateFolder = '.cutover'

/**
 * Open a folder as a publishing target: a web server's root, an NFS export, or what `release serve` serves.
 *
 * Post: every object is written to a temporary file, checked while streaming, synced and renamed, mode 0644 whatever the umask.
 * Crash: at worst a `.NAME.XXXX.tmp`, which is neither listed nor served.
 */
export function openDirectory(root: string): TargetWriter {
  const dirtyFolders = new Set<string>()
  const place = (key: string) => path.join(root, parseRelativePath(key))
  const linkTwin = async ({ sameAs, digest }: Content, file: string): Promise<boolean> => {
    if (sameAs === undefined) return false
    const twin = place(sameAs)
    return (await digestFile(twin))?.digest === digest && tryLink(twin, file)
  }

  const putNew = async (key: string, content: Content): Promise<WriteOutcome> => {
    const file = place(key)
    makeFolder(path.dirname(file), dirtyFolders)
    dirtyFolders.add(path.dirname(file))
    if (await linkTwin(content, file)) return 'linked'
    if (await writeNew(file, content)) return 'written'
    const found = await digestFile(file)
    if (found?.digest === content.digest) return 'unchanged'
    throw new ReleaseError(
      'REPOSITORY_CONFLICT',
      `${key} in ${root} has ${found?.digest ?? 'vanished'}, expected ${content.digest}`,
      { details: { key, found: found?.digest, expected: content.digest } },
    )
  }

  const replace = async (key: string, content: Content, ifMatch: string | undefined): Promise<WriteOutcome> => {
    const file = place(key)
    const found = (await digestFile(file))?.digest
    if (found === content.digest) return 'unchanged'
    if (found !== ifMatch) {
      throw new ReleaseError(
        'REPOSITORY_CHANGED',
        `${key} in ${root} is ${found ?? 'gone'}, expected ${ifMatch ?? 'nothing there'}`,
        { details: { key, found, expected: ifMatch } },
      )
    }
    makeFolder(path.dirname(file), dirtyFolders)
    const temporary = await writeTemporary(file, content)
    fs.renameSync(temporary, file)
    dirtyFolders.add(path.dirname(file))
    return 'written'
  }

  return {
    name: root,
    head: async key => digestFile(place(key)),
    putNew,
    replace,
    get: async (key, maxBytes) => readBounded(place(key), maxBytes),
    list: async folder => listFolder(root, folder),
    sync: async () => {
      for (const folder of dirtyFolders) syncFolder(folder)
      dirtyFolders.clear()
    },
    lock: command => takeLock(path.join(root, privateFolder, 'lock'), { command }),
  }
}

/** Link to bytes that are there already. False where the file system cannot, or something is in the way. */
function tryLink(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to)
    return true
  } catch (caught) {
    if (isErrno(caught, 'EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'ENOENT', 'EEXIST')) return false
    throw toReleaseError(caught)
  }
}

/** Write a file that must not exist. False when it does: link(2) refuses where rename(2) would overwrite. */
async function writeNew(file: string, content: Content): Promise<boolean> {
  if (fs.existsSync(file)) return false
  const temporary = await writeTemporary(file, content)
  try {
    if (!tryLink(temporary, file)) {
      if (fs.existsSync(file)) return false
      // A file system without hard links: the lock alone keeps others out.
      fs.renameSync(temporary, file)
    }
    return true
  } catch (caught) {
    throw toReleaseError(caught)
  } finally {
    fs.rmSync(temporary, { force: true })
  }
}

async function writeTemporary(file: string, content: Content): Promise<string> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(4).toString('hex')}.tmp`)
  const digester = new Digester()
  try {
    const descriptor = fs.openSync(temporary, 'wx', 0o644)
    try {
      for await (const piece of content.open()) {
        digester.update(piece)
        fs.writeFileSync(descriptor, piece)
      }
      fs.fchmodSync(descriptor, 0o644)
      fs.fsyncSync(descriptor)
    } finally {
      fs.closeSync(descriptor)
    }
    const found = digester.digest()
    if (found === content.digest) return temporary
    throw new ReleaseError('RELEASE_DAMAGED', `the bytes for ${file} are ${found}, expected ${content.digest}`, {
      details: { path: file, found, expected: content.digest },
    })
  } catch (caught) {
    fs.rmSync(temporary, { force: true })
    throw toReleaseError(caught)
  }
}

/** Make a folder and those above it, mode 0755 whatever the umask, and remember whose names must be synced. */
function makeFolder(folder: string, dirtyFolders: Set<string>): void {
  if (fs.existsSync(folder)) return
  makeFolder(path.dirname(folder), dirtyFolders)
  try {
    fs.mkdirSync(folder)
    fs.chmodSync(folder, 0o755)
  } catch (caught) {
    if (!isErrno(caught, 'EEXIST')) throw toReleaseError(caught)
  }
  dirtyFolders.add(path.dirname(folder))
}

async function digestFile(file: string): Promise<StoredObject | undefined> {
  const digester = new Digester()
  try {
    for await (const piece of fs.createReadStream(file, { highWaterMark: 1024 * 1024 })) digester.update(piece)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return undefined
    throw toReleaseError(caught)
  }
  const sizeBytes = digester.sizeBytes
  return { sizeBytes, digest: digester.digest() }
}

function readBounded(file: string, maxBytes: number): Buffer | undefined {
  try {
    const { size } = fs.statSync(file)
    if (size <= maxBytes) return fs.readFileSync(file)
    throw new ReleaseError('REPOSITORY_DAMAGED', `${file} has ${size} bytes, at most ${maxBytes} are expected`, {
      details: { path: file, sizeBytes: size },
    })
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return undefined
    throw toReleaseError(caught)
  }
}

function listFolder(root: string, folder: string): readonly string[] {
  try {
    return fs
      .readdirSync(path.join(root, parseRelativePath(folder)), { withFileTypes: true })
      .filter(entry => entry.isFile() && !entry.name.startsWith('.'))
      .map(entry => `${folder}/${entry.name}`)
      .toSorted(compareBytes)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return []
    throw toReleaseError(caught)
  }
}
