import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../../core/error.ts'
import type { Account } from '../../sys/account.ts'

/**
 * See that somebody else gets into a folder, so that a file there can be looked for.
 *
 * nginx takes a file that it may not look for as one that is not there. Lists of rights (acl(5)) are not read: who depends on them names
 * another folder. Errors: GATE_SERVER_REFUSED with the first folder on the way that is closed.
 */
export function assertSearchable(folder: string, account: Account): void {
  if (account.uid === 0) return
  for (const each of foldersTo(folder)) {
    if (maySearch(fs.statSync(each), account)) continue
    throw new ReleaseError(
      'GATE_SERVER_REFUSED',
      `the workers of nginx (uid ${account.uid}) may not look into ${each}`,
      {
        hint: 'name their group in node.gate.nginx.group, or in node.gate.nginx.folder a folder that they reach',
        details: { path: each, uid: account.uid, gid: account.gid },
      },
    )
  }
}

function foldersTo(folder: string): readonly string[] {
  const above = path.dirname(folder)
  return above === folder ? [folder] : [...foldersTo(above), folder]
}

/** Source: path_resolution(7): the first class that fits decides. */
function maySearch({ uid, gid, mode }: fs.Stats, account: Account): boolean {
  if (uid === account.uid) return (mode & 0o100) !== 0
  return (mode & (account.groups.includes(gid) ? 0o010 : 0o001)) !== 0
}
