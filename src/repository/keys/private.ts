import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../../core/error.ts'

/** Check that only its owner can use a file or folder. Errors: KEY_MISSING (there is none), KEY_PERMISSIONS. */
export function assertPrivate(place: string, what: 'folder' | 'key' | 'passphrase', mode: number): void {
  let stat: fs.Stats
  try {
    stat = fs.statSync(place)
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT', 'ENOTDIR')) throw toReleaseError(caught)
    throw new ReleaseError('KEY_MISSING', `${place} does not exist`, { details: { path: place } })
  }
  if ((stat.mode & 0o077) === 0) return
  throw new ReleaseError(
    'KEY_PERMISSIONS',
    `the ${what} ${place} has mode ${(stat.mode & 0o777).toString(8)}, expected ${mode.toString(8)}`,
    { hint: `run: chmod ${mode.toString(8)} ${place}`, details: { path: place } },
  )
}

/** Make a folder for its owner alone, unless it is there. */
export function makePrivateFolder(folder: string): void {
  if (fs.existsSync(folder)) return
  fs.mkdirSync(path.dirname(folder), { recursive: true })
  fs.mkdirSync(folder, { mode: 0o700 })
}

/** Check that keys would not be published. Errors: KEY_PLACE. */
export function assertOutside(folder: string, repository: string): void {
  const relative = path.relative(realFolder(repository), realFolder(folder))
  if (relative !== '' && (relative.startsWith('..') || path.isAbsolute(relative))) return
  throw new ReleaseError('KEY_PLACE', `the keys folder ${folder} is inside the repository ${repository}`, {
    details: { path: folder, repository },
  })
}

/** Resolve links of the part of a path that exists. */
function realFolder(folder: string): string {
  const absolute = path.resolve(folder)
  if (fs.existsSync(absolute)) return fs.realpathSync(absolute)
  return path.join(realFolder(path.dirname(absolute)), path.basename(absolute))
}
