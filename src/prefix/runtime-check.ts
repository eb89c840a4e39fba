import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { satisfies } from '../core/version-range.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import type { Account } from '../sys/account.ts'
import { readLinkIfExists, readTextIfExists } from '../sys/files.ts'
import { askInterpreter } from './interpreter.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'

/** An installed release, as far as its interpreter goes. */
export interface RuntimeSubject {
  readonly paths: PrefixPaths
  readonly version: string
  readonly runtime: NodeRecipe['runtime']
  readonly account: Account | undefined
}

/**
 * Look whether an installed release still has the interpreter that it was set up with: an upgrade of the machine may have taken it away.
 *
 * Errors: RUNTIME_MISSING (gone), RUNTIME_VERSION (another version: outside of the range, or a Python with other folders for its packages).
 */
export async function checkRuntime(subject: RuntimeSubject): Promise<void> {
  switch (subject.runtime.kind) {
    case 'none':
      return
    case 'node':
      return await checkNode(subject)
    case 'python':
      return await checkPython(subject)
  }
}

async function checkNode({ paths, version, runtime, account }: RuntimeSubject): Promise<void> {
  const file = readLinkIfExists(releasePaths(paths, version).runtime) ?? process.execPath
  const found = await askInterpreter({ name: 'node', account }, file)
  if (found === undefined) throw gone(version, file, `node ${runtime.version ?? ''}`.trim())
  if (runtime.version !== undefined && !satisfies(found.version, runtime.version))
    throw changed(version, `${file} is node ${found.version}`, `node ${runtime.version}`)
}

async function checkPython({ paths, version, runtime, account }: RuntimeSubject): Promise<void> {
  const release = releasePaths(paths, version)
  const settings = readTextIfExists(path.join(release.venv, 'pyvenv.cfg')) ?? ''
  const made = /^version\s*=\s*(\S+)/m.exec(settings)?.[1]
  const base = /^executable\s*=\s*(.+)$/m.exec(settings)?.[1] ?? 'python3'
  const found = await askInterpreter({ name: 'python3', account }, release.python)
  if (made === undefined || found === undefined)
    throw gone(version, base, `python ${made ?? runtime.version ?? ''}`.trim())
  // Packages are in a folder that is named after the minor version: another one finds none of them.
  const isSame = minorOf(found.version) === minorOf(made)
  const fits = runtime.version === undefined || satisfies(found.version, runtime.version)
  if (!isSame || !fits)
    throw changed(
      version,
      `${base} is python ${found.version} now`,
      `python ${isSame ? runtime.version : minorOf(made)}`,
    )
}

function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.')
}

function gone(version: string, file: string, expected: string): ReleaseError {
  return new ReleaseError(
    'RUNTIME_MISSING',
    `${version} was set up with ${file}, which is gone, expected ${expected}`,
    {
      hint: hint(expected),
      details: { version, path: file, expected },
    },
  )
}

function changed(version: string, found: string, expected: string): ReleaseError {
  return new ReleaseError('RUNTIME_VERSION', `${version} cannot run any more: ${found}, expected ${expected}`, {
    hint: hint(expected),
    details: { version, found, expected },
  })
}

function hint(expected: string): string {
  return `install ${expected} again; or install another version, which is set up with what the machine has now`
}
