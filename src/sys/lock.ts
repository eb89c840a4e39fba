import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { delay } from './clock.ts'
import { makeFolder, readTextIfExists, removeTemporaries, writeFileAtomic } from './files.ts'
import { hasProcess, identifyProcess, isSameProcess, operatingUser, type ProcessIdentity } from './process.ts'

/** Who holds a lock, for the message to whoever waits. */
export interface LockOwner {
  readonly pid: number
  /** What tells it from a later process of the same number; undefined where that cannot be told. */
  readonly process?: ProcessIdentity | undefined
  readonly user?: string | undefined
  readonly host: string
  readonly command: string
  readonly sinceMs: number
}

/** A held lock; `release` (or `using`) gives it back. It also ends with the process, however that ends. */
export interface Lock extends Disposable {
  readonly release: () => void
}

/**
 * Take a lock that dies with its holder.
 *
 * SQLite's exclusive transaction on an empty database is a POSIX record lock that the kernel drops when the process ends,
 * kill -9 and power loss included; Node offers no flock. The owner's record beside it only serves people: it may be stale, the lock never is.
 *
 * Errors: LOCKED with the owner, after `waitMs`; the signal's reason while waiting. Source: sqlite.org/lockingv3.html §3, fcntl(2) F_SETLK.
 */
export async function takeLock(
  file: string,
  options: { readonly command: string; readonly waitMs?: number; readonly signal?: AbortSignal | undefined },
): Promise<Lock> {
  makeFolder(path.dirname(file))
  const database = await openDatabase(file)
  try {
    await begin(database, file, options)
    tellOwner(file, options.command)
  } catch (caught) {
    database.close()
    throw caught
  }
  let held = true
  const release = () => {
    if (!held) return
    held = false
    forgetOwner(file)
    database.close()
  }
  return { release, [Symbol.dispose]: release }
}

async function openDatabase(file: string): Promise<DatabaseSync> {
  const sqlite = await import('node:sqlite')
  try {
    return new sqlite.DatabaseSync(file)
  } catch (caught) {
    throw unusable(file, caught)
  }
}

async function begin(
  database: DatabaseSync,
  file: string,
  options: { readonly waitMs?: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const deadlineMs = performance.now() + (options.waitMs ?? 0)
  for (;;) {
    try {
      return database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE')
    } catch (caught) {
      if (!isBusy(caught)) throw unusable(file, caught)
    }
    if (performance.now() >= deadlineMs) throw lockedError(file)
    await delay(50, options.signal)
  }
}

/** What was done under the lock is done, also when the record of it cannot be removed: it says nothing once its process is gone. */
function forgetOwner(file: string): void {
  try {
    fs.rmSync(ownerFile(file), { force: true })
  } catch (caught) {
    if (!isErrno(caught)) throw caught
  }
}

/** Pre: the lock is held. A full disk must not keep `recover` from running: the record is for people only. */
function tellOwner(file: string, command: string): void {
  try {
    removeTemporaries(ownerFile(file))
    // Not into what stands there: it may be a link to something else.
    writeFileAtomic(ownerFile(file), JSON.stringify(thisProcess(command)), { durable: false })
  } catch (caught) {
    if (toReleaseError(caught).code !== 'FILE_NO_SPACE') throw caught
  }
}

/** Read who last took the lock; undefined when nobody holds it or the record is unreadable. */
export function lockOwner(file: string): LockOwner | undefined {
  try {
    return JSON.parse(readTextIfExists(ownerFile(file)) ?? '') as LockOwner
  } catch {
    return undefined
  }
}

/** Tell who holds a lock, without touching it: {@link lockOwner}, unless that process of this machine is gone. For people only. */
export function lockHolder(file: string): LockOwner | undefined {
  const owner = lockOwner(file)
  return owner === undefined || isGone(owner) ? undefined : owner
}

function isGone({ host, pid, process: identity }: LockOwner): boolean {
  if (host !== os.hostname()) return false
  if (identity === undefined) return !hasProcess(pid)
  const present = identifyProcess(pid)
  return present === undefined || !isSameProcess(present, identity)
}

function thisProcess(command: string): LockOwner {
  const { pid } = process
  return {
    pid,
    process: identifyProcess(pid),
    user: operatingUser(),
    host: os.hostname(),
    command,
    sinceMs: Date.now(),
  }
}

const ownerFile = (file: string) => `${file}.owner`

function unusable(file: string, caught: unknown): ReleaseError {
  return new ReleaseError('FILE_IO', `${file} cannot be locked: ${(caught as Error).message}`, {
    hint: 'see what stands there: a lock is an empty file that we made',
    cause: caught,
    details: { path: file },
  })
}

function isBusy(caught: unknown): boolean {
  // SQLITE_BUSY is 5; extended codes keep it in the low byte.
  return (
    caught instanceof Error &&
    'errcode' in caught &&
    typeof caught.errcode === 'number' &&
    (caught.errcode & 0xff) === 5
  )
}

function describeOwner({ command, user, pid, host, sinceMs }: LockOwner): string {
  return `${command} (${user === undefined ? '' : `by ${user}, `}pid ${pid} on ${host}, since ${new Date(sinceMs).toISOString()})`
}

function lockedError(file: string): ReleaseError {
  // Its record may be that of a holder before it: one that was killed leaves it, and the next writes its own only after it has the lock.
  const owner = lockHolder(file)
  const who = owner === undefined ? 'another process' : describeOwner(owner)
  return new ReleaseError('LOCKED', `${file} is held by ${who}`, {
    details: { path: file, pid: owner?.pid, since: owner?.sinceMs },
  })
}
