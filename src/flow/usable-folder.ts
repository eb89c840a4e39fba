import fs from 'node:fs'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'

/**
 * Refuse to make something of a folder that holds other things.
 *
 * Post: it does not exist, is empty, or `isOurs` says so of the names in it. Errors: USAGE, FILE_IO.
 */
export function assertUsable(folder: string, isOurs: (names: readonly string[]) => boolean): void {
  const names = namesIn(folder)
  if (names.length === 0 || isOurs(names)) return
  const shown = `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`
  throw new ReleaseError('USAGE', `${folder} holds other things (${shown})`, {
    hint: 'choose an empty folder, or one that does not exist',
    details: { path: folder },
  })
}

function namesIn(folder: string): readonly string[] {
  try {
    return fs.readdirSync(folder)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT')) return []
    if (!isErrno(caught, 'ENOTDIR')) throw toReleaseError(caught)
    throw new ReleaseError('USAGE', `${folder} is not a folder, or below something that is none`, {
      hint: 'choose an empty folder, or one that does not exist',
      details: { path: folder },
    })
  }
}
