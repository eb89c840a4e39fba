import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import { isErrno, ReleaseError } from '../core/error.ts'
import { delay } from './clock.ts'
import { describe } from './exec.ts'
import type { BoundTo } from './listening-socket.ts'

/** How a process ended. */
export interface ProcessExit {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

/** A process of ours, leader of its own process group. */
export interface RunningProcess {
  readonly pid: number
  readonly exited: Promise<ProcessExit>
  /** Let this process end before that one does. */
  readonly unref: () => void
}

/** A process beyond the life of whoever started it: a number alone may be given to another process. Source: proc(5), starttime. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startTicks: string
  readonly bootId: string
}

export interface StartOptions {
  readonly argv: readonly [string, ...string[]]
  readonly cwd: string
  /** The whole environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Where its output goes, appended; it keeps writing there when we are gone. */
  readonly logFile: string
  /** Give it a standard input that ends when we do, kill -9 included, so that it need not outlive us. */
  readonly lifeline?: boolean
  /** Listening sockets that it gets, from descriptor 3 on; empty: it opens its own. */
  readonly handed: readonly HandedSocket[]
}

/** A listening socket that one process hands to another, with the name that it has there. Source: sd_listen_fds_with_names(3). */
export interface HandedSocket {
  readonly descriptor: number
  readonly name: string
  /** What it is bound to, where whoever hands it knows better than the kernel. */
  readonly boundTo?: BoundTo | undefined
}

/** LISTEN_PID must be the number of the process that uses the socket: known only in it, so a shell sets it and becomes the command. */
const exportListenPid = ['/bin/sh', '-c', 'export LISTEN_PID=$$; exec "$@"', 'sh'] as const

/**
 * Start a process in a process group of its own.
 *
 * Post: resolves once the command is executed, not when it is ready. Errors: SERVICE_START_FAILED.
 */
export async function startProcess(options: StartOptions): Promise<RunningProcess> {
  const log = fs.openSync(options.logFile, 'a', 0o640)
  try {
    const { handed } = options
    const [file, ...args] = handed.length > 0 ? [...exportListenPid, ...options.argv] : options.argv
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: { ...options.environment, ...listenVariables(handed) },
      stdio: [options.lifeline === true ? 'pipe' : 'ignore', log, log, ...handed.map(socket => socket.descriptor)],
      detached: true,
    })
    return await begun(child, options.argv)
  } finally {
    fs.closeSync(log)
  }
}

function listenVariables(handed: readonly HandedSocket[]): Readonly<Record<string, string>> {
  if (handed.length === 0) return {}
  return { LISTEN_FDS: String(handed.length), LISTEN_FDNAMES: handed.map(socket => socket.name).join(':') }
}

async function begun(child: ChildProcess, argv: readonly string[]): Promise<RunningProcess> {
  const exited = new Promise<ProcessExit>(resolve => {
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }))
  })
  try {
    await once(child, 'spawn')
  } catch (caught) {
    throw new ReleaseError(
      'SERVICE_START_FAILED',
      `${describe(argv)} cannot be started: ${(caught as Error).message}`,
      {
        cause: caught,
        details: { command: argv[0] },
      },
    )
  }
  return { pid: child.pid!, exited, unref: () => child.unref() }
}

/** A Node process of ours that we exchange messages with. */
export interface Worker {
  readonly pid: number
  readonly send: (message: unknown) => void
  readonly onMessage: (take: (message: unknown) => void) => void
  /** Called when there is no channel any more. */
  readonly onClosed: (call: () => void) => void
  readonly exited: Promise<ProcessExit>
  readonly kill: () => void
  /** Close the channel, and let this process end before that one does. */
  readonly leave: () => void
}

/**
 * Start a worker that gets descriptors as its own, from 3 on, and ends when the channel does; or with `takesOver` one that outlives us:
 * with our standard input and in our process group, as if it had been started in our place. Errors: SERVICE_START_FAILED.
 */
export async function startWorker(
  argv: readonly [string, ...string[]],
  descriptors: readonly number[],
  { takesOver = false }: { readonly takesOver?: boolean } = {},
): Promise<Worker> {
  const child = spawn(argv[0], argv.slice(1), {
    stdio: [takesOver ? 'inherit' : 'ignore', 'inherit', 'inherit', ...descriptors, 'ipc'],
    detached: !takesOver,
  })
  // Its last messages may be read after its end.
  const disconnected = new Promise<void>(resolve => child.once('disconnect', resolve))
  const { pid, exited, unref } = await begun(child, argv)
  return {
    pid,
    exited: Promise.all([exited, disconnected]).then(([exit]) => exit),
    // A worker that is gone is noticed by its exit; a message to it is lost without harm.
    send: message => void child.send(message as object, () => {}),
    onMessage: take => void child.on('message', take),
    onClosed: call => void disconnected.then(call),
    kill: () => void child.kill('SIGKILL'),
    leave: () => {
      if (child.connected) child.disconnect()
      unref()
    },
  }
}

/** How often is looked whether a process that is not our child still runs: that costs one read. */
const lookMs = 100

/**
 * Watch a process that another one started as ours are, and that is not our child: how it ends is told to its parent only.
 *
 * Post: its end is noticed within {@link lookMs}, with no exit code and no signal; at once when it has ended already.
 */
export function watchProcess(identity: ProcessIdentity): RunningProcess {
  let look: NodeJS.Timeout | undefined
  const exited = new Promise<ProcessExit>(resolve => {
    const check = () => {
      if (isProcessRunning(identity)) return
      clearInterval(look)
      resolve({ exitCode: null, signal: null })
    }
    look = setInterval(check, lookMs)
    check()
  })
  return { pid: identity.pid, exited, unref: () => void look?.unref() }
}

/** Say in words how a process ended, such as `exit code 1` or `SIGKILL`. */
export function describeExit(exit: ProcessExit): string {
  return exit.signal ?? (exit.exitCode === null ? 'nobody saw how' : `exit code ${exit.exitCode}`)
}

/** Send a signal to a process group. Post: false when nobody is in it any more. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-pid, signal)
    return true
  } catch (caught) {
    if (isErrno(caught, 'ESRCH')) return false
    throw caught
  }
}

/** Identify a running process; undefined when there is none of that number. Source: proc(5). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid)
  if (stat === undefined) return undefined
  const bootId = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  return { pid, startTicks: stat.startTicks, bootId }
}

/**
 * Tell whether a process still runs that was identified before on this machine.
 *
 * One that has ended and waits for its parent to notice does not: that parent may never look.
 */
export function isProcessRunning({ pid, startTicks }: ProcessIdentity): boolean {
  const stat = readStat(pid)
  return stat !== undefined && stat.startTicks === startTicks && !isDead(stat)
}

/** Tell whether two sightings are of one process, and not of a later one of the same number. */
export function isSameProcess(a: ProcessIdentity, b: ProcessIdentity): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks && a.bootId === b.bootId
}

/** Tell whether there is a process of a number, whichever it is. Source: kill(2), "if sig is 0". */
export function hasProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (caught) {
    // Somebody else's.
    return isErrno(caught, 'EPERM')
  }
}

/** Name who runs this process: whoever used sudo, not root. */
export function operatingUser(): string {
  try {
    return process.env['SUDO_USER'] ?? os.userInfo().username
  } catch {
    // Containers run as users that have no name.
    return `uid ${process.getuid?.()}`
  }
}

interface ProcessStat {
  readonly state: string
  readonly group: number
  readonly startTicks: string
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the name in parentheses and may hold anything; the third is the state, the fifth the group, the 22nd the start.
    const [state = '', , group, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state, group: Number(group), startTicks: rest[16] ?? '' }
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ESRCH')) return undefined
    throw caught
  }
}

/**
 * End a process group that an earlier process of ours started, if it is still that one: signal, wait, SIGKILL.
 *
 * A number is not given away while a group has it: a group whose leader is gone is still the old one.
 */
export async function endLeftover(
  identity: ProcessIdentity,
  options: { readonly signal: NodeJS.Signals; readonly timeoutMs: number },
): Promise<boolean> {
  const present = identifyProcess(identity.pid)
  const bootId = identifyProcess(process.pid)?.bootId
  if (bootId !== identity.bootId) return false
  if (present !== undefined && present.startTicks !== identity.startTicks) return false
  if (!signalGroup(identity.pid, options.signal)) return false
  const deadlineMs = performance.now() + options.timeoutMs
  while (isGroupAlive(identity.pid)) {
    if (performance.now() >= deadlineMs) signalGroup(identity.pid, 'SIGKILL')
    await delay(20)
  }
  return true
}

/**
 * Kill every process of ours whose environment names a folder: what a killed command had started there, and whatever that started.
 *
 * Post: none of them runs any more. Source: proc(5), environ.
 */
export async function killProcessesOf(folder: string): Promise<void> {
  const marker = Buffer.from(folder)
  for (;;) {
    const found = runningProcesses().filter(pid => pid !== process.pid && readEnvironment(pid).includes(marker))
    if (found.length === 0) return
    for (const pid of found) killIfThere(pid)
    await delay(20)
  }
}

/** The environment that a process was started with; empty for one of another user, and for one that has ended. */
function readEnvironment(pid: number): Buffer {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`)
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return Buffer.alloc(0)
    throw caught
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (caught) {
    if (!isErrno(caught, 'ESRCH')) throw caught
  }
}

function runningProcesses(): readonly number[] {
  return fs
    .readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

/** Whether anything of a group still runs. */
function isGroupAlive(pid: number): boolean {
  return runningProcesses().some(each => {
    const stat = readStat(each)
    return stat !== undefined && stat.group === pid && !isDead(stat)
  })
}

function isDead({ state }: ProcessStat): boolean {
  return state === 'Z' || state === 'X'
}
