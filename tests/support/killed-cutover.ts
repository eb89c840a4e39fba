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
  /** The operation fails with this error instead of being done, and with `forGood` all that come after it. */
  | { readonly kind: 'fail'; readonly at: KillPoint; readonly errno: string; readonly forGood?: boolean }
  /** The system itself refuses the n-th call of a name in each thread. Needs strace. */
  | { readonly kind: 'refuse'; readonly call: string; readonly nth: number; readonly errno: string }
  /** It has so few descriptors. */
  | { readonly kind: 'descriptors'; readonly count: number }
  /** The clock of the whole process is wrong by so much, as faketime writes it. */
  | { readonly kind: 'clock'; readonly offset: string }

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
  const start = (args: readonly string[], { before, hooks, environment }: Starting) => {
    const argv = [...before, process.execPath, ...hooks, program, ...args, '--json']
    const env = { ...process.env, ...environment }
    return spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env })
  }
  return {
    program,
    start: (args, disturbance) => start(args, startingOf(disturbance)),
    run: (args, disturbance) => ended(start(args, startingOf(disturbance))),
    record: async args => {
      const file = path.join(tempFolder(), 'operations')
      const end = await ended(start(args, hooked({ OPERATIONS: file })))
      return { ...end, points: pointsOf(fs.readFileSync(file, 'utf8')) }
    },
  }
}

interface Starting {
  readonly before: readonly string[]
  readonly hooks: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

const hooked = (environment: Readonly<Record<string, string>>): Starting => ({
  before: [],
  hooks: ['--import', hook],
  environment,
})

function startingOf(disturbance: Disturbance | undefined): Starting {
  const plain = { before: [], hooks: [], environment: {} }
  switch (disturbance?.kind) {
    case undefined:
      return plain
    case 'kill':
      return hooked({ KILL_AT: `${disturbance.at.step}:${disturbance.at.operation}` })
    case 'fail':
      return hooked({ FAIL_AT: failAt(disturbance) })
    case 'refuse': {
      const { call, nth, errno } = disturbance
      const inject = ['-e', `trace=${call}`, '-e', `inject=${call}:error=${errno}:when=${nth}`]
      return { ...plain, before: ['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', ...inject] }
    }
    case 'clock':
      return { ...plain, before: ['faketime', '-f', disturbance.offset] }
    case 'descriptors':
      return { ...plain, before: ['sh', '-c', `ulimit -n ${disturbance.count}; exec "$@"`, 'sh'] }
  }
}

function failAt({ at, errno, forGood }: Disturbance & { readonly kind: 'fail' }): string {
  return `${at.step}:${at.operation}:${errno}${forGood === true ? '+' : ''}`
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
