import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { satisfies } from '../core/version-range.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import { tryExecute } from '../sys/exec.ts'
import { replaceSymlink } from '../sys/files.ts'
import { cleanEnvironment } from './command.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import { executeReaped } from './reaped.ts'

/** What a runtime is made for. */
export interface RuntimeRequest {
  readonly paths: PrefixPaths
  readonly version: string
  readonly runtime: NodeRecipe['runtime']
  readonly values: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** An interpreter of this machine. */
export interface Interpreter {
  readonly file: string
  readonly version: string
}

/**
 * Give a staged release its interpreter: a link to a Node that will do, or a virtualenv with the packages of the vendor folder.
 *
 * Post: the interpreter's version, for people. Errors: RUNTIME_MISSING, RUNTIME_VERSION, SETUP_FAILED (pip).
 */
export async function prepareRuntime(request: RuntimeRequest): Promise<string> {
  switch (request.runtime.kind) {
    case 'none':
      return 'no runtime'
    case 'node':
      return await linkNode(request)
    case 'python':
      return await buildVirtualenv(request)
  }
}

/** Of some interpreters take the first in a range. Pure. Errors: RUNTIME_MISSING (none at all), RUNTIME_VERSION (none in the range). */
export function chooseInterpreter(name: string, range: string | undefined, found: readonly Interpreter[]): Interpreter {
  const chosen = found.find(interpreter => range === undefined || satisfies(interpreter.version, range))
  if (chosen !== undefined) return chosen
  const wanted = range === undefined ? '' : ` ${range}`
  if (found.length === 0) {
    throw new ReleaseError('RUNTIME_MISSING', `${name} is not installed, expected ${name}${wanted}`, {
      hint: `install ${name}${wanted} and run the same command again`,
      details: { runtime: name, range },
    })
  }
  const versions = found.map(interpreter => `${interpreter.version} (${interpreter.file})`)
  throw new ReleaseError('RUNTIME_VERSION', `${name} is ${versions.join(', ')}, expected ${range}`, {
    hint: `install ${name}${wanted} and run the same command again`,
    details: { runtime: name, range, found: versions },
  })
}

async function linkNode(request: RuntimeRequest): Promise<string> {
  const ours = { file: process.execPath, version: process.versions.node }
  const range = request.runtime.version
  const found = range === undefined || satisfies(ours.version, range) ? [] : await interpreters('node', ['--version'])
  const node = chooseInterpreter('node', range, [ours, ...found])
  replaceSymlink(releasePaths(request.paths, request.version).runtime, node.file)
  return `node ${node.version}`
}

async function buildVirtualenv(request: RuntimeRequest): Promise<string> {
  const { paths, version, runtime, signal } = request
  const release = releasePaths(paths, version)
  const script = 'import sys; print("%d.%d.%d" % sys.version_info[:3])'
  const python = chooseInterpreter('python3', runtime.version, await interpreters('python3', ['-I', '-c', script]))
  const options = {
    environment: { ...cleanEnvironment, ...pipEnvironment, HOME: release.root },
    signal,
    timeoutMs: 900_000,
  }
  await setupCommand(release.root, [python.file, '-m', 'venv', '--without-pip', release.venv], options)
  if (runtime.packages.length === 0) return `python ${python.version}`
  const packages = runtime.packages.map(text => fillPlaceholders(text, request.values, 'node.runtime.packages'))
  const vendor = path.join(release.root, runtime.vendor ?? '')
  const pip = [python.file, '-m', 'pip', '--python', release.python] as const
  await setupCommand(
    release.root,
    [...pip, 'install', '--no-index', '--find-links', vendor, '--no-cache-dir', '--', ...packages],
    options,
  )
  return `python ${python.version}, ${packages.join(' ')}`
}

/** Nothing but what we say: no index, no settings of the machine, no questions. */
const pipEnvironment: Readonly<Record<string, string>> = {
  PIP_CONFIG_FILE: '/dev/null',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  PIP_NO_INPUT: '1',
  PYTHONNOUSERSITE: '1',
}

async function setupCommand(
  release: string,
  argv: readonly [string, ...string[]],
  options: { environment: Readonly<Record<string, string>>; signal: AbortSignal; timeoutMs: number },
): Promise<void> {
  try {
    await executeReaped(release, argv, options)
  } catch (caught) {
    options.signal.throwIfAborted()
    throw new ReleaseError('SETUP_FAILED', toReleaseError(caught).message, {
      cause: caught,
      hint: 'the vendor folder must hold wheels of every package, dependencies included',
    })
  }
}

/** Find an interpreter by its name: the system's own first, for pip and venv belong to it, then those on PATH. */
async function interpreters(name: string, versionArguments: readonly string[]): Promise<readonly Interpreter[]> {
  const folders = ['/usr/bin', ...(process.env['PATH'] ?? '').split(':').filter(path.isAbsolute)]
  const files = new Set(folders.map(folder => path.join(folder, name)).filter(isExecutable))
  const found: Interpreter[] = []
  for (const file of files) {
    const { stdout, exitCode } = await tryExecute([file, ...versionArguments], { timeoutMs: 30_000 })
    const version = /^v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1]
    if (exitCode === 0 && version !== undefined) found.push({ file, version })
  }
  return found
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return true
  } catch (caught) {
    if (isErrno(caught)) return false
    throw caught
  }
}
