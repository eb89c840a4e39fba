import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll } from 'vitest'
import type { Event } from '../../src/core/event.ts'
import { tempFolder } from './temp.ts'

const executables = path.join(import.meta.dirname, '..', '..', 'src', 'bin')

/** An error as `--json` tells it. */
export interface ToldError {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/** How a command ended. */
export interface CommandEnd {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  /** What `--json` wrote; empty without it. Every line of standard output is one of them, or the promise was broken. */
  readonly events: readonly Event[]
  /** The `result` of the last event. */
  readonly result: unknown
  readonly error: ToldError | undefined
}

/** A command that goes on until it is ended. */
export interface Running {
  /** The address that it said it serves at, as `HOST:PORT`. */
  readonly address: string
  /** Ask it to end; the answer is its exit code. */
  readonly stop: () => Promise<number | null>
}

/** A machine as an operator has it: a folder to work in, and commands in processes of their own. */
export interface Operator {
  readonly folder: string
  readonly at: (...names: string[]) => string
  /** Run `release`, `cutover` or a command of a prefix (`bin/install`) in a folder below ours. */
  readonly run: (directory: string, ...argv: readonly string[]) => Promise<CommandEnd>
  /** The same with `--json` for what must succeed and say nothing beside it; the answer is its result. Errors: it did not, with all it said. */
  readonly succeed: (directory: string, ...argv: readonly string[]) => Promise<unknown>
  /** Start `release serve` or `cutover serve` with `--json`. Post: it serves. */
  readonly start: (directory: string, ...argv: readonly string[]) => Promise<Running>
}

/** Make an operator's folder, with `environment` in all commands. Whatever still runs ends after the test file. */
export function makeOperator(environment: NodeJS.ProcessEnv = {}): Operator {
  const folder = tempFolder()
  const at = (...names: string[]) => path.join(folder, ...names)
  const running = new Set<ChildProcess>()
  const begin = (directory: string, argv: readonly string[]) => {
    const child = spawnCommand(at(directory), argv, { ...process.env, ...environment })
    running.add(child)
    child.once('close', () => running.delete(child))
    return child
  }
  afterAll(async () => {
    await Promise.all([...running].map(endChild))
  })
  const run: Operator['run'] = (directory, ...argv) => finish(begin(directory, argv), argv.includes('--json'))
  return {
    folder,
    at,
    run,
    async succeed(directory, ...argv) {
      const ended = await run(directory, ...argv, '--json')
      if (ended.exitCode === 0 && ended.stderr === '') return ended.result
      throw new Error(`${argv.join(' ')} ended with ${ended.exitCode}: ${ended.stdout}${ended.stderr}`)
    },
    async start(directory, ...argv) {
      const child = begin(directory, [...argv, '--json'])
      return { address: await servedAddress(child), stop: () => endChild(child) }
    },
  }
}

function spawnCommand(directory: string, argv: readonly string[], environment: NodeJS.ProcessEnv): ChildProcess {
  const [name = '', ...args] = argv
  const isOurs = !name.includes('/')
  const file = isOurs ? process.execPath : path.join(directory, name)
  const before = isOurs ? [path.join(executables, `${name}.ts`)] : []
  return spawn(file, [...before, ...args], { cwd: directory, env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function finish(child: ChildProcess, isJson: boolean): Promise<CommandEnd> {
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([child.stdout!, child.stderr!].map(readText))
  const [exitCode] = (await closed) as [number | null]
  const lines = isJson ? stdout!.split('\n').filter(line => line !== '') : []
  const events = lines.map(line => JSON.parse(line) as Event)
  const last = events.at(-1)
  return {
    exitCode,
    stdout: stdout!,
    stderr: stderr!,
    events,
    result: last?.kind === 'run-done' ? last.result : undefined,
    error: last?.kind === 'run-failed' ? last.error : undefined,
  }
}

async function readText(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const piece of stream) text += piece
  return text
}

async function servedAddress(child: ChildProcess): Promise<string> {
  const complaints = readText(child.stderr!)
  const said: string[] = []
  const lines = createInterface({ input: child.stdout! })
  for await (const line of lines) {
    said.push(line)
    const event = JSON.parse(line) as Event
    const address = event.kind === 'note' ? /^serving .*?(127\.0\.0\.1:\d+)/.exec(event.message)?.[1] : undefined
    if (address === undefined) continue
    // It goes on talking, and must not wait for a reader.
    child.stdout!.resume()
    return address
  }
  throw new Error(`it ended without serving: ${said.join('\n')}${await complaints}`)
}

async function endChild(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), 15_000)
  const [exitCode] = (await exit) as [number | null]
  clearTimeout(killer)
  return exitCode
}
