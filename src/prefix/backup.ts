import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { makeFolder, removeTree, syncFileSystem, syncFolder } from '../sys/files.ts'
import { accountOf } from './account.ts'
import { runNodeCommand } from './command.ts'
import { commandContext } from './configure.ts'
import type { FileChange } from './file-change.ts'
import type { PrefixPaths } from './layout.ts'
import { backupOp } from './state.ts'

/** Where the backups of a prefix are. */
export const backupsFolder = (paths: PrefixPaths): string => path.join(paths.shared, 'backups')

/**
 * Name the folder of the backup that an operation of a change makes: the same for whoever recovers the change.
 *
 * Shape: `shared/backups/VERSION-TXN` with the version whose data it is; the phase at its end where that went on writing.
 */
export function backupFolder(change: Pick<FileChange, 'paths' | 'from'>, txn: number, op: string): string {
  const suffix = op === backupOp ? '' : `-${op.slice(backupOp.length + 1)}`
  return path.join(backupsFolder(change.paths), `${change.from ?? 'none'}-${txn}${suffix}`)
}

/**
 * Copy the data by the recipe's command.
 *
 * Post: the folder is whole and durable, or not there; older backups than the recipe keeps are gone. Errors: BACKUP_FAILED, FILE_IO,
 * FILE_NO_SPACE. Crash: `.incomplete` beside it, removed by the next.
 */
export async function backUp(change: FileChange, folder: string): Promise<string> {
  const { backup } = change.recipe().node
  if (backup === undefined) throw new Error(`the recipe of ${change.version} has no backup`)
  const incomplete = `${folder}.incomplete`
  const account = accountOf(change.recipe())
  removeTree(incomplete)
  // The folder of all backups stays root's: in one of its own, an application could put a link in the place of what is given to it next.
  for (const [made, uid] of [[path.dirname(folder), 0] as const, [incomplete, account?.uid ?? 0] as const]) {
    makeFolder(made, { mode: 0o750 })
    if (account !== undefined) fs.chownSync(made, uid, account.gid)
  }
  const context = commandContext(change, 'backup')
  const values = { ...context.values, BACKUP_FOLDER: incomplete }
  await runNodeCommand(backup, 'BACKUP_FAILED', { ...context, values })
  // Not file by file: what stands there is the application's, and may be a link or a pipe.
  await syncFileSystem(incomplete)
  replaceFolder(incomplete, folder)
  pruneBackups(path.dirname(folder), backup.keep)
  return path.relative(change.paths.root, folder)
}

/**
 * Put the data back by the recipe's command, from the backup that {@link backUp} made.
 *
 * Pre: nothing writes to the data. Post: durable. Errors: RESTORE_FAILED. Crash: run again.
 */
export async function restore(change: FileChange, folder: string): Promise<void> {
  const command = change.recipe().node.restore
  if (command === undefined) throw new Error(`the recipe of ${change.version} has no restore`)
  if (!fs.existsSync(folder)) {
    throw new ReleaseError('RESTORE_FAILED', `the backup ${folder} is not there any more`, {
      hint: `put it back, or the data by hand, then make an empty folder in its place and run cutover recover`,
      details: { path: folder },
    })
  }
  // Whoever wants to interrupt a change wants the data back as well.
  const context = commandContext({ ...change, signal: new AbortController().signal }, 'restore')
  const values = { ...context.values, BACKUP_FOLDER: folder }
  await runNodeCommand(command, 'RESTORE_FAILED', { ...context, values })
  await syncFileSystem(change.paths.shared)
}

function replaceFolder(incomplete: string, folder: string): void {
  removeTree(folder)
  try {
    fs.renameSync(incomplete, folder)
    syncFolder(path.dirname(folder))
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

/** Remove the backups of all but the last changes. */
function pruneBackups(folder: string, keep: number): void {
  const changeOf = (name: string) => Number(/-(\d+)(?:-[a-z]+)?$/.exec(name)?.[1] ?? Number.NaN)
  const names = fs.readdirSync(folder).filter(name => !Number.isNaN(changeOf(name)))
  const kept = [...new Set(names.map(changeOf))].toSorted((a, b) => b - a).slice(0, keep)
  for (const name of names) {
    if (!kept.includes(changeOf(name))) removeTree(path.join(folder, name))
  }
}
