import { spawn } from 'node:child_process'
import path from 'node:path'
import { makeControlGroups, removeControlGroups } from '../../src/sys/control-group.ts'
import type { ServedDriver } from './driver-contract.ts'

const cutover = path.join(import.meta.dirname, '..', '..', 'src', 'bin', 'cutover.ts')

/** Run `cutover serve` on this machine. What it says is in the error when it ends by itself. */
export async function serveHere(
  prefix: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<ServedDriver> {
  const child = spawn(process.execPath, [cutover, 'serve', prefix, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, CUTOVER_CONTRACT: 'yes', ...environment },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', piece => (output += String(piece)))
  const closed = new Promise<number | null>(resolve => child.once('close', resolve))
  const signal = async (name: NodeJS.Signals, expected: number | null) => {
    child.kill(name)
    const code = await closed
    if (code !== expected) throw new Error(`serve ended with ${code}: ${output}`)
  }
  return { output: () => output, kill: () => signal('SIGKILL', null), end: () => signal('SIGTERM', 0) }
}

/** Tell whether we are root, who alone can run services as another user. Errors: with CI set, when we are not. */
export function needRoot(): boolean {
  const isRoot = process.getuid?.() === 0
  if (!isRoot && process.env['CI']) throw new Error('not root: services as another user need that')
  return isRoot
}

/** Tell whether control groups can be made here by whoever is root. */
export function hasControlGroups(): boolean {
  const limits = { memoryBytes: 64 * 1024 * 1024, processes: 10, cpu: 1 }
  const { unheld } = makeControlGroups('cutover-test-probe', limits)
  removeControlGroups('cutover-test-probe')
  return unheld.length === 0
}
