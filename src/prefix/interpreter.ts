import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError } from '../core/error.ts'
import { satisfies } from '../core/version-range.ts'
import type { Account } from '../sys/account.ts'
import { tryExecute } from '../sys/exec.ts'
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

/** What kind of interpreter is looked for, and who is to run it. */
export interface InterpreterQuery {
  readonly name: InterpreterName
  readonly range: string | undefined
  /** Undefined: whoever runs us. */
  readonly account: Account | undefined
}

/**
 * Find an interpreter of the machine: the ones named, then the system's own, for pip and venv belong to it, then those on PATH.
 *
 * Errors: RUNTIME_MISSING, RUNTIME_VERSION.
 */
export async function findInterpreter(query: InterpreterQuery, first: readonly string[]): Promise<Interpreter> {
  const { name, range } = query
  const folders = ['/usr/bin', ...(process.env['PATH'] ?? '').split(':').filter(path.isAbsolute)]
  const files = [...new Set([...first, ...folders.map(folder => path.join(folder, name))])].filter(isExecutable)
  const found: Interpreter[] = []
  for (const file of files) {
    const asked = await askInterpreter(query, file)
    if (asked !== undefined) found.push(asked)
    if (asked !== undefined && (range === undefined || satisfies(asked.version, range))) break
  }
  return chooseInterpreter(name, range, found)
}

/** Ask an interpreter for its version; undefined when that user cannot run it. */
export async function askInterpreter(
  { name, account }: Pick<InterpreterQuery, 'name' | 'account'>,
  file: string,
): Promise<Interpreter | undefined> {
  if (file === process.execPath && account === undefined) return { file, version: process.versions.node }
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
