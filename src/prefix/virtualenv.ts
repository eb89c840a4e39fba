import path from 'node:path'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { ExecuteOptions } from '../sys/exec.ts'
import { removeTree, writeFileAtomic } from '../sys/files.ts'
import { cleanEnvironment } from './command.ts'
import type { Interpreter } from './interpreter.ts'
import { releasePaths } from './layout.ts'
import { executeReaped } from './reaped.ts'
import type { RuntimeRequest } from './runtime.ts'
import { vendorRequirements } from './vendor.ts'

const timeoutMs = 900_000

/** Nothing but what we say: no index, no settings of the machine, no questions. */
const pipEnvironment: Readonly<Record<string, string>> = {
  PIP_CONFIG_FILE: '/dev/null',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
  PIP_NO_INPUT: '1',
  PIP_ROOT_USER_ACTION: 'ignore',
  PYTHONNOUSERSITE: '1',
}

/**
 * Have the pip of an interpreter work in a virtualenv that has none: `-c SCRIPT VENV_PYTHON ARGUMENTS…`.
 *
 * What `pip --python` does, without starting a pip first that only starts the other: by the program that pip has for it, where it has one.
 */
export const pipInside = `
import os, sys, pip
runner = os.path.join(pip.__path__[0], "__pip-runner__.py")
python, arguments = sys.argv[1], sys.argv[2:]
if os.path.exists(runner):
    os.execv(python, [python, "-I", runner, *arguments])
os.execv(sys.executable, [sys.executable, "-I", "-m", "pip", "--python", python, *arguments])
`

/**
 * Make a virtualenv at the final path of a release and fill it from the vendor folder, with the bytecode of all of the release's Python.
 *
 * No pip goes into it, which takes most of the time of making one; the pip of the interpreter fills it from outside. Whoever runs it later
 * cannot write bytecode any more. Post: what it came to, for people. Errors: SETUP_FAILED.
 */
export async function buildVirtualenv(request: RuntimeRequest, python: Interpreter): Promise<string> {
  const { paths, version, runtime, values, manifest } = request
  const release = releasePaths(paths, version)
  // What a killed run left may be a later user's no more.
  removeTree(release.venv)
  await run(request, [python.file, '-I', '-m', 'venv', '--without-pip', release.venv])
  const packages = runtime.packages.map(text => fillPlaceholders(text, values, 'node.runtime.packages'))
  if (packages.length > 0) {
    const { requirements, constraints } = vendorRequirements(manifest, runtime.vendor ?? '.', packages)
    writeFileAtomic(release.requirements, requirements, { mode: 0o644, durable: false })
    writeFileAtomic(release.constraints, constraints, { mode: 0o644, durable: false })
    const vendor = path.join(release.root, runtime.vendor ?? '')
    const files = ['--requirement', release.requirements, '--constraint', release.constraints]
    const offline = ['--no-index', '--find-links', vendor, '--no-cache-dir', '--require-hashes', '--quiet']
    await run(request, [python.file, '-I', '-c', pipInside, release.python, 'install', ...offline, ...files])
  }
  await compile(request, release.python)
  return [`python ${python.version}`, ...packages].join(', ')
}

/** Make the bytecode of the payload's own Python; that of the packages was made by pip. */
async function compile(request: RuntimeRequest, python: string): Promise<void> {
  const { manifest, runtime, paths, version } = request
  const vendor = `${runtime.vendor ?? ''}/`
  const sources = manifest.files.filter(
    entry => entry.type === 'file' && entry.path.endsWith('.py') && !entry.path.startsWith(vendor),
  )
  const tops = [...new Set(sources.map(entry => entry.path.split('/')[0]!))]
  if (tops.length === 0) return
  const { root } = releasePaths(paths, version)
  const argv = [
    python,
    '-I',
    '-m',
    'compileall',
    '-q',
    '-j',
    '0',
    '--',
    ...tops.map(top => path.join(root, top)),
  ] as const
  // Files that are no Python of this version, such as templates, are as good as without bytecode.
  await run(request, ['/bin/sh', '-c', '"$@" || true', 'sh', ...argv])
}

async function run(request: RuntimeRequest, argv: readonly [string, ...string[]]): Promise<void> {
  const { paths, version, signal } = request
  const { root } = releasePaths(paths, version)
  const options: ExecuteOptions = {
    environment: { ...cleanEnvironment, ...pipEnvironment, HOME: root },
    cwd: root,
    umask: 0o022,
    account: request.account,
    within: request.within ?? [],
  }
  try {
    await executeReaped(root, argv, { ...options, signal, timeoutMs })
  } catch (caught) {
    signal.throwIfAborted()
    const error = toReleaseError(caught)
    // The machine's trouble, for which no release is to blame.
    if (error.code === 'EXEC_EXHAUSTED') throw error
    throw new ReleaseError('SETUP_FAILED', error.message, {
      cause: caught,
      hint: 'the machine needs python3-venv and python3-pip, and the vendor folder wheels of every package, dependencies included',
    })
  }
}
