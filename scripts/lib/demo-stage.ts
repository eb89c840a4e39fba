import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { styleText } from 'node:util'
import { humanReport } from '../../src/cli/report/human.ts'
import type { Event } from '../../src/core/event.ts'
import { systemClock } from '../../src/sys/clock.ts'

const sources = path.resolve(import.meta.dirname, '../../src/bin')

/** How a command ended: the `result` of its last event, or the error. */
export interface Ended {
  readonly exitCode: number
  readonly result: unknown
  readonly errorCode: string | undefined
}

/** Where the demo takes place: one temporary folder, the executables on PATH as after an installation, and what runs beside. */
export class Stage implements AsyncDisposable {
  readonly folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-demo-')))
  readonly #running: ChildProcess[] = []
  readonly #environment: NodeJS.ProcessEnv

  constructor() {
    const bin = this.at('bin')
    fs.mkdirSync(bin)
    for (const name of ['release', 'cutover']) fs.symlinkSync(path.join(sources, `${name}.ts`), path.join(bin, name))
    this.#environment = { ...process.env, PATH: `${bin}:${process.env['PATH']}` }
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => void this[Symbol.asyncDispose]().then(() => process.exit(1)))
    }
  }

  at(...names: string[]): string {
    return path.join(this.folder, ...names)
  }

  /**
   * Run a command of ours as a person would type it, showing what a person would see.
   *
   * It is given `--json` behind the curtain, so that its numbers need not be read off a screen; its own renderer draws them.
   */
  async run(directory: string, ...argv: readonly [string, ...string[]]): Promise<Ended> {
    tell(`\n${styleText('dim', path.relative(this.folder, directory))}$ ${styleText('bold', argv.join(' '))}`)
    const report = humanReport({ ...process, environment: process.env, cwd: directory }, {}, systemClock)
    const child = this.#spawn(directory, [...argv, '--json'], 'pipe')
    const ended = { exitCode: 0, result: undefined as unknown, errorCode: undefined as string | undefined }
    const exit = once(child, 'exit')
    for await (const line of createInterface({ input: child.stdout! })) {
      const event = JSON.parse(line) as Event
      report.emit(event)
      if (event.kind === 'run-done') ended.result = event.result
      if (event.kind === 'run-failed') ended.errorCode = event.error.code
    }
    report.end()
    ended.exitCode = (await exit)[0] ?? 1
    return ended
  }

  /** The same for a command that must succeed. */
  async succeed(directory: string, ...argv: readonly [string, ...string[]]): Promise<unknown> {
    const { exitCode, result } = await this.run(directory, ...argv)
    if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with exit code ${exitCode}`)
    return result
  }

  /** Start a command that goes on until the demo ends; what it prints goes to a file. */
  start(directory: string, log: string, ...argv: readonly [string, ...string[]]): void {
    tell(`\n${styleText('dim', path.relative(this.folder, directory))}$ ${styleText('bold', `${argv.join(' ')} &`)}`)
    this.#running.push(this.#spawn(directory, argv, fs.openSync(this.at(log), 'w')))
  }

  #spawn(
    directory: string,
    argv: readonly [string, ...string[]] | readonly string[],
    output: 'pipe' | number,
  ): ChildProcess {
    const [file = '', ...args] = argv
    const environment = { ...this.#environment, PWD: directory }
    const stdio = output === 'pipe' ? (['ignore', 'pipe', 'inherit'] as const) : (['ignore', output, output] as const)
    return spawn(path.isAbsolute(file) || !file.includes('/') ? file : path.join(directory, file), args, {
      cwd: directory,
      env: environment,
      stdio: [...stdio],
    })
  }

  /** End what was started, the last first. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#running.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await exit
      clearTimeout(killer)
    }
  }
}

/** Print a line. */
export function tell(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Print the heading of an act. */
export function announce(text: string): void {
  tell(`\n${styleText(['bold', 'cyan'], `── ${text} `.padEnd(100, '─'))}`)
}

/** Wait until an address answers with 200. Errors: it did not within 15 seconds. */
export async function answering(url: string): Promise<void> {
  const deadlineMs = performance.now() + 15_000
  for (;;) {
    const status = await fetch(url).then(
      response => response.status,
      () => undefined,
    )
    if (status === 200) return
    if (performance.now() > deadlineMs) throw new Error(`${url} does not answer with 200 (${status ?? 'no answer'})`)
    await delay(50)
  }
}
