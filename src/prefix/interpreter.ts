import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError } from '../core/error.ts'
import { satisfies } from '../core/version-range.ts'
import { type ExecuteOptions, tryExecute } from '../sys/exec.ts'
import { cleanEnvironment } from './command.ts'

/** An interpreter of this machine. */
export interface Interpreter {
  readonly file: string
  readonly version: string
}

/** The interpreters that releases run with, and how each is asked for its version. */
export type InterpreterName = 'node' | 'python3'

const versionArguments: Readonly<Record<InterpreterName, readonly string[]>> = {
  node: ['--version'],
  python3: ['-I', '-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])'],
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

/** Find an interpreter by its name: those named, then the system's own, for pip and venv belong to it, then those on PATH. */
export async function findInterpreters(
  name: InterpreterName,
  account: ExecuteOptions['account'],
  first: readonly string[] = [],
): Promise<readonly Interpreter[]> {
  const folders = ['/usr/bin', ...(process.env['PATH'] ?? '').split(':').filter(path.isAbsolute)]
  const files = [...new Set([...first, ...folders.map(folder => path.join(folder, name))])].filter(isExecutable)
  const found = await Promise.all(files.map(file => askInterpreter(name, file, account)))
  return found.filter(interpreter => interpreter !== undefined)
}

/** Ask an interpreter for its version; undefined when that user cannot run it. */
export async function askInterpreter(
  name: InterpreterName,
  file: string,
  account: ExecuteOptions['account'],
): Promise<Interpreter | undefined> {
  try {
    const { stdout, exitCode } = await tryExecute([file, ...versionArguments[name]], {
      environment: cleanEnvironment,
      timeoutMs: 30_000,
      account,
    })
    const version = /^v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1]
    return exitCode === 0 && version !== undefined ? { file, version } : undefined
  } catch (caught) {
    if (caught instanceof ReleaseError) return undefined
    throw caught
  }
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
