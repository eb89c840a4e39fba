import { type ChildProcessByStdio, spawn } from 'node:child_process'
import path from 'node:path'
import type { Readable } from 'node:stream'

const root = path.join(import.meta.dirname, '..', '..')

/** How a command ended. */
export interface CommandEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Start `cutover` from its sources. With `killAtSync` it is killed after that many records of the journal. */
export function startCutover(
  args: readonly string[],
  options: { readonly killAtSync?: number } = {},
): ChildProcessByStdio<null, Readable, Readable> {
  const hook =
    options.killAtSync === undefined ? [] : ['--import', path.join(import.meta.dirname, 'kill-at-journal.mjs')]
  return spawn(process.execPath, [...hook, path.join(root, 'src', 'bin', 'cutover.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KILL_AT_SYNC: String(options.killAtSync ?? 0) },
  })
}

/** Run it to its end. */
export function runCutover(...started: Parameters<typeof startCutover>): Promise<CommandEnd> {
  const child = startCutover(...started)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', piece => {
    stdout += piece
  })
  child.stderr.on('data', piece => {
    stderr += piece
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }))
  })
}
