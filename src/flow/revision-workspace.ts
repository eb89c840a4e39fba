import { hash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { makeFolder, removeTree } from '../sys/files.ts'

/** The folders that a revision is built in, outside of the prefix, empty. Absolute; nobody else may look into them. */
export interface RevisionWorkspace extends Disposable {
  readonly checkout: string
  /** Where the release is put, in a folder of its version. */
  readonly dist: string
  /** The home of the build. */
  readonly home: string
  readonly temporary: string
}

/**
 * Make the folders of a build in the system's temporary folder, and remove what killed builds of the same prefix left.
 *
 * Pre: `owner` names whose build it is, and no other of it is under way. Crash: the folder stays until the next call.
 */
export function openRevisionWorkspace(owner: string): RevisionWorkspace {
  const prefix = `cutover-revision-${hash('sha256', owner, 'hex').slice(0, 10)}-`
  try {
    for (const name of fs.readdirSync(os.tmpdir()).filter(name => name.startsWith(prefix))) {
      const left = path.join(os.tmpdir(), name)
      // Anybody may make names there.
      if (fs.lstatSync(left, { throwIfNoEntry: false })?.uid === process.geteuid!()) removeTree(left)
    }
    const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), prefix)))
    // Who builds goes through, and finds what is there for it by name.
    fs.chmodSync(root, 0o711)
    const at = (name: string) => path.join(root, name)
    for (const name of ['checkout', 'dist', 'home', 'tmp']) fs.mkdirSync(at(name), { mode: 0o700 })
    return {
      checkout: at('checkout'),
      dist: at('dist'),
      home: at('home'),
      temporary: at('tmp'),
      [Symbol.dispose]: () => removeTree(root),
    }
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

/**
 * Copy the files of a release that a build has made: what is no plain file is left behind, for a link could lead anywhere.
 *
 * Errors: REVISION_BUILD (there is no such folder), FILE_IO, FILE_NO_SPACE.
 */
export function adoptRelease(built: string, kept: string): void {
  if (fs.lstatSync(built, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new ReleaseError('REVISION_BUILD', `the build has left no release in ${built}`, { details: { path: built } })
  }
  makeFolder(kept)
  try {
    for (const entry of fs.readdirSync(built, { withFileTypes: true })) {
      if (!entry.isFile()) continue
      fs.copyFileSync(path.join(built, entry.name), path.join(kept, entry.name), fs.constants.COPYFILE_FICLONE)
    }
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
