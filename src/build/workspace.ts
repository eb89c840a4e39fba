import { hash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { toReleaseError } from '../core/error.ts'
import { readTextIfExists, removeTree } from '../sys/files.ts'
import { registrySettings } from './environment.ts'

/** The temporary folders of one cut. Absolute paths; all exist but the checkouts. */
export interface Workspace extends Disposable {
  readonly root: string
  /** Of the scratch repository. */
  readonly git: string
  /** Where the tests run. */
  readonly testCheckout: string
  /** Where the build runs, untouched by the tests. */
  readonly buildCheckout: string
  readonly home: string
  readonly temporary: string
  /** The scratch prefix of the rehearsal. */
  readonly prefix: string
}

/**
 * Make the folders of a cut in the system's temporary folder: outside of every repository, so that no tool finds the user's
 * configuration by looking upward.
 *
 * Crash: the folder stays; {@link staleWorkspaces} of the same repository finds it.
 */
export function openWorkspace(repository: string, userHome: string | undefined): Workspace {
  try {
    const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), prefixOf(repository))))
    const at = (name: string) => path.join(root, name)
    for (const name of ['git', 'home', 'tmp', 'prefix']) fs.mkdirSync(at(name), { mode: 0o700 })
    const npmrc = userHome === undefined ? undefined : readTextIfExists(path.join(userHome, '.npmrc'))
    fs.writeFileSync(path.join(at('home'), '.npmrc'), registrySettings(npmrc ?? ''), { mode: 0o600 })
    return {
      root,
      git: at('git'),
      testCheckout: at('tests'),
      buildCheckout: at('build'),
      home: at('home'),
      temporary: at('tmp'),
      prefix: at('prefix'),
      [Symbol.dispose]: () => removeTree(root),
    }
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

/** Find what killed cuts of a repository left. Pre: the repository's lock is held, so that none of them is in use. */
export function staleWorkspaces(repository: string): readonly { readonly root: string; readonly prefix: string }[] {
  const prefix = prefixOf(repository)
  const uid = process.getuid?.()
  return fs
    .readdirSync(os.tmpdir())
    .filter(name => name.startsWith(prefix))
    .map(name => path.join(os.tmpdir(), name))
    .filter(root => fs.lstatSync(root, { throwIfNoEntry: false })?.uid === uid)
    .map(root => ({ root, prefix: path.join(root, 'prefix') }))
}

/** Short, for the path of a unix socket below it may have about a hundred bytes in all. */
function prefixOf(repository: string): string {
  return `cutover-${hash('sha256', repository, 'hex').slice(0, 10)}-`
}
