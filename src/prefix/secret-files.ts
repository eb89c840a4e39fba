import fs from 'node:fs'
import path from 'node:path'
import type { Account } from '../sys/account.ts'
import { listFiles, makeFolder, readTextIfExists, removeTree, writeFileAtomic } from '../sys/files.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import type { Secrets, WantedSecret } from './secrets.ts'

/** The file that a service of a version reads a secret from. */
export function secretFile(paths: PrefixPaths, version: string, name: string): string {
  return path.join(paths.secretFiles, version, name)
}

/**
 * Write the secrets that services of a version read from files.
 *
 * Post: mode 0600, the account's; those of versions that are not here any more are gone. The folders are root's: an application cannot put a
 * link in the place of one. Errors: FILE_IO. Crash: run again.
 */
export function placeSecretFiles(request: {
  readonly paths: PrefixPaths
  readonly version: string
  readonly wanted: readonly WantedSecret[]
  readonly secrets: Secrets
  readonly account: Account | undefined
}): void {
  const { paths, version, secrets, account } = request
  for (const name of listFiles(paths.secretFiles)) {
    const { root } = releasePaths(paths, name.replace(/\.json$/, ''))
    if (!fs.existsSync(root)) removeTree(path.join(paths.secretFiles, name))
  }
  const wanted = request.wanted.filter(secret => secret.as === 'file')
  if (wanted.length === 0) return
  for (const folder of [paths.shared, paths.secretFiles, path.join(paths.secretFiles, version)]) {
    makeFolder(folder, { mode: 0o750 })
    if (account !== undefined) fs.chownSync(folder, 0, account.gid)
  }
  for (const { name } of wanted) {
    const file = secretFile(paths, version, name)
    if (isAsWanted(file, secrets[name]!, account)) continue
    writeFileAtomic(file, secrets[name]!, { mode: 0o600, owner: account })
  }
}

function isAsWanted(file: string, secret: string, account: Account | undefined): boolean {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat?.isFile() !== true || (stat.mode & 0o7777) !== 0o600) return false
  return stat.uid === (account?.uid ?? process.geteuid!()) && readTextIfExists(file) === secret
}
