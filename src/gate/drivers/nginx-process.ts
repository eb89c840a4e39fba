import fs from 'node:fs'
import { isErrno, ReleaseError } from '../../core/error.ts'
import type { Account } from '../../sys/account.ts'
import { readTextIfExists } from '../../sys/files.ts'

/** How long nginx may take to start workers with a new configuration; it takes some 50 ms. */
const reloadTimeoutMs = 10_000
const pollMs = 10

/** A worker of nginx. Source: nginx names its processes by what they do (ngx_process_cycle.c). */
interface Worker {
  readonly pid: number
  /** It accepts no more and ends with its last request. */
  readonly isEnding: boolean
}

/** Find nginx's master process. Errors: GATE_SERVER_UNREACHABLE when it does not run. */
export function findMaster(pidFile: string): number {
  const text = readTextIfExists(pidFile)
  const pid = Number(text)
  // The number may belong to something else by now.
  if (text !== undefined && pid > 1 && commandOf(pid).startsWith('nginx: master process')) return pid
  throw new ReleaseError('GATE_SERVER_UNREACHABLE', `nginx does not run: ${pidFile} names no master process of it`, {
    hint: 'start it, or name its pid file in node.gate.nginx.pidFile',
    details: { path: pidFile },
  })
}

/**
 * Have nginx read its configuration again.
 *
 * Post: every worker that accepts has read it; those before it accept no more and finish what they have. A connection without a request on
 * it is closed by them, at once: whoever sends one in that very moment loses it, until nginx 1.27.4 (keepalive_min_timeout).
 * Errors: GATE_SERVER_UNREACHABLE, GATE_SERVER_REFUSED when it kept the one before. Source: nginx, "Controlling nginx", HUP.
 */
export async function reloadNginx(pidFile: string): Promise<void> {
  const master = findMaster(pidFile)
  const before = new Set(workersOf(master).map(worker => worker.pid))
  signal(master)
  const endMs = performance.now() + reloadTimeoutMs
  for (;;) {
    const workers = workersOf(master)
    const accepting = workers.filter(worker => !worker.isEnding)
    if (accepting.length > 0 && accepting.every(worker => !before.has(worker.pid))) return
    if (performance.now() > endMs) {
      throw new ReleaseError(
        'GATE_SERVER_REFUSED',
        `nginx did not take its configuration within ${reloadTimeoutMs} ms`,
        {
          hint: 'look at its error log',
          details: { pid: master },
        },
      )
    }
    await new Promise(resolve => setTimeout(resolve, pollMs))
  }
}

/** How much later than it was a process may seem to have begun: both clocks that are read for it tick every 10 ms. */
const clockSlackMs = 20

/**
 * Tell whether nginx runs what is written: all of its workers that accept began after the last change of these files.
 *
 * Errors: GATE_SERVER_UNREACHABLE.
 */
export function runsWhatIsWritten(pidFile: string, files: readonly string[]): boolean {
  const accepting = workersOf(findMaster(pidFile)).filter(worker => !worker.isEnding)
  const changedMs = Math.max(...files.map(file => fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Infinity))
  return accepting.length > 0 && accepting.every(({ pid }) => beganMs(pid) > changedMs + clockSlackMs)
}

/** When a process began, since 1970; 0 for one that is gone. Source: proc(5), starttime in ticks of 10 ms since the machine began, uptime. */
function beganMs(pid: number): number {
  const ticks = Number(
    read(`/proc/${pid}/stat`)
      .replace(/^.*\) /s, '')
      .split(' ')[19] ?? 0,
  )
  const uptimeMs = Number(read('/proc/uptime').split(' ')[0]) * 1000
  return ticks > 0 ? Date.now() - uptimeMs + ticks * 10 : 0
}

/** Tell as whom the workers run. Errors: GATE_SERVER_UNREACHABLE. Source: proc(5), Uid, Gid and Groups: the second of the first two is in force. */
export function workerAccounts(pidFile: string): readonly Account[] {
  return workersOf(findMaster(pidFile)).flatMap(({ pid }) => {
    const status = read(`/proc/${pid}/status`)
    const numbers = (name: string) =>
      (new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '').split(/\s+/).filter(Boolean).map(Number)
    const [uid, gid] = [numbers('Uid')[1], numbers('Gid')[1]]
    return uid === undefined || gid === undefined ? [] : [{ uid, gid, groups: [gid, ...numbers('Groups')] }]
  })
}

function signal(master: number): void {
  try {
    process.kill(master, 'SIGHUP')
  } catch (caught) {
    if (!isErrno(caught)) throw caught
    throw new ReleaseError(
      'GATE_SERVER_UNREACHABLE',
      `nginx (pid ${master}) cannot be told to reload: ${caught.code}`,
      {
        hint: 'run cutover serve as root, or as the user that nginx runs as',
        cause: caught,
        details: { pid: master },
      },
    )
  }
}

function workersOf(master: number): readonly Worker[] {
  return childrenOf(master).flatMap(pid => {
    const command = commandOf(pid)
    if (!command.startsWith('nginx: worker process')) return []
    return [{ pid, isEnding: command.startsWith('nginx: worker process is shutting down') }]
  })
}

/** Source: proc(5), /proc/PID/task/TID/children; nginx's master has one thread. */
function childrenOf(pid: number): readonly number[] {
  return read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter(text => text !== '')
    .map(Number)
}

function commandOf(pid: number): string {
  return read(`/proc/${pid}/cmdline`)
}

/** A process that is gone says nothing. */
function read(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim()
  } catch (caught) {
    if (isErrno(caught, 'ENOENT', 'ESRCH')) return ''
    throw caught
  }
}
