import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { FileEdit } from './scratch.ts'

/**
 * Give every file and folder below a checkout the mode and time that it has on every machine.
 *
 * git writes files with the user's umask and the time of day; a build that packs them (a source distribution, say) would
 * carry both into its output. Post: 0755 for folders and executable files, 0644 for others; links keep their mode.
 */
export function normaliseCheckout(folder: string, timeSeconds: number): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const place = path.join(folder, entry.name)
    if (entry.isSymbolicLink()) fs.lutimesSync(place, timeSeconds, timeSeconds)
    else if (entry.isDirectory()) normaliseCheckout(place, timeSeconds)
    else normaliseFile(place, timeSeconds)
  }
  fs.chmodSync(folder, 0o755)
  fs.utimesSync(folder, timeSeconds, timeSeconds)
}

/** Read a file of a checkout that is to be edited; undefined when it has none. Errors: SOURCE_EDIT_UNSAFE (a link, a folder). */
export function readEditable(folder: string, file: string): string | undefined {
  const parts = file.split('/')
  for (let length = 1; length <= parts.length; length++) {
    const place = path.join(folder, ...parts.slice(0, length))
    const stat = fs.lstatSync(place, { throwIfNoEntry: false })
    if (stat === undefined) return undefined
    const wanted = length === parts.length ? stat.isFile() : stat.isDirectory()
    if (!wanted) throw unsafeEdit(file, parts.slice(0, length).join('/'))
  }
  return fs.readFileSync(path.join(folder, file), 'utf8')
}

/** Write edits into a checkout. Pre: every path was read by {@link readEditable}, so that no link leads out of the checkout. */
export function writeEdits(folder: string, edits: readonly FileEdit[]): void {
  for (const edit of edits) {
    const place = path.join(folder, edit.path)
    fs.mkdirSync(path.dirname(place), { recursive: true })
    fs.writeFileSync(place, edit.content)
  }
}

function normaliseFile(place: string, timeSeconds: number): void {
  const { mode } = fs.statSync(place)
  const wanted = (mode & 0o100) === 0 ? 0o644 : 0o755
  if ((mode & 0o7777) !== wanted) fs.chmodSync(place, wanted)
  fs.utimesSync(place, timeSeconds, timeSeconds)
}

function unsafeEdit(file: string, place: string): ReleaseError {
  return new ReleaseError('SOURCE_EDIT_UNSAFE', `${file} cannot be written: ${place} is not a plain file or folder`, {
    details: { path: file, place },
  })
}
