import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError } from '../../core/error.ts'
import { parseRelativePath } from '../../core/relative-path.ts'
import { takeLock } from '../../sys/lock.ts'
import type { Content, Lease, LeaseOptions, TargetWriter, WriteOutcome } from '../target.ts'
import { assertReplaces, conflict } from './conflict.ts'
import { Incoming } from './incoming.ts'
import { firstUnder } from './lease.ts'
import { digestFile, readBounded, readPieces } from './read-file.ts'

/** The hidden folder of a repository that is never served. */
const privateFolder = '.cutover'

/** Larger new ones are put in place at once, so that a kill costs little; their own sync costs little beside their bytes. */
const largestWaitingBytes = 1024 * 1024

/** What a folder is opened with. */
export interface DirectoryOptions {
  /** link(2), as the file system of the folder has it; tests bring one that has none. */
  readonly link?: (from: string, to: string) => void
}

/**
 * Open a folder as a publishing target: a web server's root, an NFS export, or what `release serve` serves.
 *
 * Objects are made aside and take their names together when `sync` has made their bytes durable: in the order of the writes and within
 * a moment, so that readers hardly ever meet some new and some old. Who writes them reads them before that.
 * Post: mode 0644 whatever the umask. Crash: at worst files in `.cutover/incoming/`, which are not served; a lease of another day removes them.
 */
export function openDirectory(root: string, options: DirectoryOptions = {}): TargetWriter {
  const place = (key: string) => path.join(root, parseRelativePath(key))
  const incoming = new Incoming({
    root,
    folder: path.join(root, privateFolder, 'incoming'),
    link: options.link ?? fs.linkSync,
  })
  const head = async (key: string) => digestFile(incoming.find(place(key)))

  const write = async (key: string, content: Content, isNew: boolean): Promise<WriteOutcome> => {
    const file = place(key)
    const { sameAs } = content
    const isTwin = sameAs !== undefined && (await head(sameAs))?.digest === content.digest
    const twin = isTwin ? place(sameAs) : undefined
    const outcome = await incoming.add({ key, file, content, isNew, twin })
    if (isNew && content.sizeBytes > largestWaitingBytes) await incoming.commit(file)
    return outcome
  }

  return {
    name: root,
    parallelism: 8,
    head,
    get: async (key, maxBytes) => readBounded({ root, key, file: incoming.find(place(key)) }, maxBytes),
    read: (key, signal) => readPieces({ root, key, file: incoming.find(place(key)) }, signal),
    putNew: async (key, content) => {
      const found = (await head(key))?.digest
      if (found === undefined) return write(key, content, true)
      if (found === content.digest) return 'unchanged'
      throw conflict(root, key, { found, expected: content.digest })
    },
    replace: async (key, content, ifMatch) => {
      const found = (await head(key))?.digest
      if (found === content.digest) return 'unchanged'
      assertReplaces(root, key, { found, expected: ifMatch })
      return write(key, content, false)
    },
    remove: async key => incoming.remove(place(key)),
    sync: () => incoming.commitAll(),
    lease: async (command, options) => {
      const lease = await takeLease(root, command, options)
      return await firstUnder(lease, () => incoming.removeLeftovers())
    },
  }
}

/** The kernel drops the lock with its holder; on a network file system its server does, after its own grace period. */
async function takeLease(root: string, command: string, { waitMs, signal }: LeaseOptions): Promise<Lease> {
  const file = path.join(root, privateFolder, 'lock')
  const lock = await takeLock(file, { command, waitMs, signal })
  const own = inodeOf(file)
  return {
    assertHeld: () => {
      // A lock on a file that somebody removed keeps nobody out.
      if (inodeOf(file) === own) return
      throw new ReleaseError('REPOSITORY_CHANGED', `${file} was removed while it was locked`, {
        details: { path: file },
      })
    },
    release: async () => lock.release(),
  }
}

function inodeOf(file: string): bigint | undefined {
  try {
    return fs.statSync(file, { bigint: true }).ino
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ENOTDIR')) return undefined
    throw caught
  }
}
