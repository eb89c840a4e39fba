import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { type ControlClient, connectControl } from '../gate/control/client.ts'
import { controlSocket } from '../gate/control/protocol.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { type Clock, delay } from '../sys/clock.ts'
import { listFiles, makeFolder } from '../sys/files.ts'
import { describeExit, type RunningProcess, signalGroup, startProcess } from '../sys/process.ts'

/** `cutover serve` as a process of its own on the scratch prefix of a rehearsal, as a server has it. */
export interface RehearsalServer {
  /** Ask for the health of the release that runs. Errors: REHEARSAL_UNHEALTHY (another version runs, or what was seen). */
  readonly assertHealthy: (version: string) => Promise<void>
  /** End it and its services. */
  readonly end: () => Promise<void>
}

const startTimeoutMs = 20_000
const endTimeoutMs = 30_000
const logTailLines = 12

/** Start serving a prefix on a free port of 127.0.0.1. Errors: REHEARSAL_UNHEALTHY when it does not come up. */
export async function startServing(
  paths: PrefixPaths,
  environment: Readonly<Record<string, string | undefined>>,
  clock: Clock,
): Promise<RehearsalServer> {
  makeFolder(paths.log)
  const process = await startProcess({
    argv: [...cutoverCommand(), 'serve', paths.root, '--listen', '127.0.0.1:0', '--json', '--until-input-ends'],
    cwd: paths.root,
    environment: defined(environment),
    logFile: serveLog(paths),
    lifeline: true,
    handed: [],
  })
  const control = await connectWithin(process, paths, clock)
  return {
    assertHealthy: version => assertHealthy(control, version),
    end: () => end(process, control, clock),
  }
}

/** Read the last lines of everything that ran in a prefix, each log under its name. */
export function logTails(paths: PrefixPaths): readonly string[] {
  return listFiles(paths.log)
    .filter(name => name.endsWith('.log') && path.join(paths.log, name) !== serveLog(paths))
    .flatMap(name => {
      const lines = fs
        .readFileSync(path.join(paths.log, name), 'utf8')
        .split('\n')
        .filter(line => line !== '')
      return lines.length === 0 ? [] : [`${name}:`, ...lines.slice(-logTailLines).map(line => `  ${line}`)]
    })
}

/** The other executable of our own: beside the sources, or in the bundle. */
function cutoverCommand(): [string, ...string[]] {
  const isSource = import.meta.filename.endsWith('.ts')
  return [process.execPath, path.join(import.meta.dirname, isSource ? '../bin/cutover.ts' : '../cutover.js')]
}

async function connectWithin(process: RunningProcess, paths: PrefixPaths, clock: Clock): Promise<ControlClient> {
  const socket = path.join(paths.root, controlSocket)
  const deadlineMs = clock.elapsedMs() + startTimeoutMs
  let exit: string | undefined
  void process.exited.then(how => {
    exit = describeExit(how)
  })
  while (exit === undefined && clock.elapsedMs() < deadlineMs) {
    const control = await connectControl(socket)
    if (control !== undefined) return control
    await delay(25)
  }
  signalGroup(process.pid, 'SIGKILL')
  const log = fs.readFileSync(serveLog(paths), 'utf8').split('\n').slice(-logTailLines).join('\n')
  const how = exit === undefined ? `does not answer after ${startTimeoutMs} ms` : `ended with ${exit}`
  throw new ReleaseError('REHEARSAL_UNHEALTHY', `cutover serve ${how}\n${log}`, { details: { path: paths.root } })
}

async function assertHealthy(control: ControlClient, version: string): Promise<void> {
  const { status, result } = await control.request({ kind: 'probe' })
  const isRunning = status.version === version && status.gate.mode === 'pass'
  if (isRunning && result?.ok === true) return
  const found = `${status.version ?? 'nothing'} runs, the gate is in mode ${status.gate.mode}: ${result?.evidence ?? 'no evidence'}`
  throw new ReleaseError('REHEARSAL_UNHEALTHY', `expected ${version} to run and be healthy, found: ${found}`, {
    details: { version, found: status.version },
  })
}

async function end(process: RunningProcess, control: ControlClient, clock: Clock): Promise<void> {
  const killAtMs = clock.elapsedMs() + endTimeoutMs
  await control.request({ kind: 'shutdown' }).catch(() => {
    // It may have ended by itself; what counts is that it ends.
  })
  const ended = process.exited.then(() => true)
  while (!(await Promise.race([ended, delay(100).then(() => false)]))) {
    if (clock.elapsedMs() > killAtMs) signalGroup(process.pid, 'SIGKILL')
  }
}

function serveLog(paths: PrefixPaths): string {
  return path.join(paths.log, 'cutover-serve.log')
}

function defined(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}
