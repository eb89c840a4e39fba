import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { bundle } from '../../scripts/lib/bundle.ts'
import type { CommandEnd } from './cutover-cli.ts'
import { type KillPoint, pointsOf } from './kill-points.ts'
import { tempFolder } from './temp.ts'

const source = path.join(import.meta.dirname, '..', '..', 'src', 'bin', 'cutover.ts')
const hook = path.join(import.meta.dirname, 'kill-at-operation.mjs')

/** What happens to a command at a point of its run. */
export type Disturbance =
  | { readonly kind: 'kill'; readonly at: KillPoint }
  /** The operation fails with this error instead of being done. */
  | { readonly kind: 'fail'; readonly at: KillPoint; readonly errno: string }

/** How a command ended, and the code of the error that it told. */
export interface ToldEnd extends CommandEnd {
  readonly code: string | undefined
}

/** `cutover` as it is shipped: every process of it starts fast. All commands get `--json`. */
export interface BuiltCutover {
  readonly program: string
  readonly start: (args: readonly string[], disturbance?: Disturbance) => ChildProcess
  readonly run: (args: readonly string[], disturbance?: Disturbance) => Promise<ToldEnd>
  /** Run it and list every operation of it. */
  readonly record: (args: readonly string[]) => Promise<ToldEnd & { readonly points: readonly KillPoint[] }>
}

/** Bundle `cutover` for the tests of a file. */
export async function builtCutover(): Promise<BuiltCutover> {
  const folder = path.join(tempFolder(), 'built')
  await bundle({ cutover: source }, folder)
  const program = path.join(folder, 'cutover.js')
  const start = (args: readonly string[], environment: Readonly<Record<string, string>> = {}) => {
    const hooks = Object.keys(environment).length === 0 ? [] : ['--import', hook]
    const env = { ...process.env, ...environment }
    return spawn(process.execPath, [...hooks, program, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'], env })
  }
  return {
    program,
    start: (args, disturbance) => start(args, environmentOf(disturbance)),
    run: (args, disturbance) => ended(start(args, environmentOf(disturbance))),
    record: async args => {
      const file = path.join(tempFolder(), 'operations')
      const end = await ended(start(args, { OPERATIONS: file }))
      return { ...end, points: pointsOf(fs.readFileSync(file, 'utf8')) }
    },
  }
}

function environmentOf(disturbance: Disturbance | undefined): Readonly<Record<string, string>> {
  if (disturbance === undefined) return {}
  const { step, operation } = disturbance.at
  if (disturbance.kind === 'kill') return { KILL_AT: `${step}:${operation}` }
  return { FAIL_AT: `${step}:${operation}:${disturbance.errno}` }
}

/** Wait for the end of a command that writes events. */
export function ended(child: ChildProcess): Promise<ToldEnd> {
  const texts = { stdout: '', stderr: '' }
  child.stdout!.on('data', piece => {
    texts.stdout += piece
  })
  child.stderr!.on('data', piece => {
    texts.stderr += piece
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, ...texts, code: toldCode(texts.stdout) }))
  })
}

function toldCode(stdout: string): string | undefined {
  const line = stdout.split('\n').findLast(each => each.includes('"run-failed"'))
  if (line === undefined) return undefined
  const event = JSON.parse(line) as { readonly error: { readonly code: string } }
  return event.error.code
}
