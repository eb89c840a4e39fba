import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'

/**
 * Read a file that a recipe ships from a built checkout.
 *
 * Post: it lies in the checkout, through whatever links: nothing else of this machine gets into a package.
 * Errors: BUILD_ENTRY_MISSING, BUILD_ENTRY_KIND (no plain file), PATH_UNSAFE, FILE_IO.
 */
export function readShippedFile(checkout: string, from: string): Buffer {
  const place = shippedPlace(checkout, from)
  if (!fs.statSync(place).isFile())
    throw new ReleaseError('BUILD_ENTRY_KIND', `${from} is not a plain file, and cannot be shipped`, {
      details: { path: from },
    })
  try {
    return fs.readFileSync(place)
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

/** Find where something that is shipped lies really. Errors: BUILD_ENTRY_MISSING, PATH_UNSAFE (outside of the checkout). */
export function shippedPlace(checkout: string, from: string): string {
  const place = realPath(path.join(checkout, from), from)
  const inside = path.relative(fs.realpathSync(checkout), place)
  if (inside === '..' || inside.startsWith(`..${path.sep}`) || path.isAbsolute(inside))
    throw new ReleaseError('PATH_UNSAFE', `${from} leads out of the checkout, to ${place}`, { details: { path: from } })
  return place
}

function realPath(place: string, from: string): string {
  try {
    return fs.realpathSync(place)
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw toReleaseError(caught)
    throw new ReleaseError('BUILD_ENTRY_MISSING', `${from} does not exist after the build`, {
      cause: caught,
      details: { path: from },
    })
  }
}
