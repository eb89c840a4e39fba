import { ReleaseError } from '../core/error.ts'
import type { Address } from '../gate/front/address.ts'
import type { Drained, DrainLimits } from '../gate/front/flights.ts'
import type { Gate, GateSuccession } from '../gate/gate.ts'
import type { GateMode } from '../gate/machine/machine.ts'
import { currentVersion } from '../prefix/installed.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { delay } from '../sys/clock.ts'
import { execute } from '../sys/exec.ts'
import { observeInstaller } from './serve-installer.ts'
import { areListenersOf } from './serve-listeners.ts'
import type { Predecessor } from './serve-predecessor.ts'
import type { ServeReleases } from './serve-releases.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A serving process as it is now. */
export interface Leavable {
  readonly gate: Gate | undefined
  readonly mode: GateMode
  readonly relaysTo: string | undefined
  readonly releases: ServeReleases
  readonly paths: PrefixPaths
  /** Whether its addresses are those that its release names, and not what it was given. */
  readonly isReachedAsNamed: boolean
}

/**
 * Say how another process can go on in the place of this one, now.
 *
 * Only while requests pass and nothing is being changed: then all that is to be handed over are sockets and what runs.
 * Errors: GATE_UPGRADE_REFUSED.
 */
export async function successionOf(now: Leavable): Promise<GateSuccession> {
  const { gate, mode, relaysTo, releases, paths } = now
  if (gate === undefined) throw refused('its address is not open yet')
  const succession = gate.succession?.()
  if (succession === undefined) {
    throw refused(
      `nobody can be given the sockets of its ${gate.kind} gate`,
      'use Node 26.4 or newer, or let systemd hand over the sockets',
    )
  }
  if (mode !== 'pass') throw refused(`it is in mode ${mode}`)
  if (relaysTo !== undefined) throw refused('another one answers in its place')
  if (releases.beside !== undefined) throw refused('two releases run')
  if (releases.live === undefined && currentVersion(paths) !== undefined) throw refused('the release does not run')
  if (releases.live !== undefined && !releases.isReachable) throw refused('clients do not reach its release')
  // In front of the waiting room of another server are its own addresses.
  const isNamed = now.isReachedAsNamed && (gate.kind === 'proxy' || gate.kind === 'handover')
  if (isNamed && releases.live !== undefined && !areListenersOf(releases.live, succession.sockets))
    throw refused('its release is reached at other addresses than those that are open', 'end it and start it again')
  if ((await observeInstaller(paths.lock)) === 'at work') throw refused('something is being installed')
  const away = releases.status().services.find(({ state }) => state !== 'running')
  if (away !== undefined) throw refused(`service ${away.name} is ${away.state}`)
  return succession
}

/** When those are ended who were with a process when it left. */
export interface LeftLimits {
  /** Aborted when they are to be ended now. */
  readonly now: AbortSignal
  /** Aborted when the process that took over is gone: nobody answers what still comes. */
  readonly alone: AbortSignal
  readonly streamsMs: number
}

/** How long those who are still connected may take when nobody is there any more who took over. */
const orphanMs = 3000

/** A process that another one has taken the place of. */
export interface Left {
  readonly drain: (limits: DrainLimits) => Promise<Drained>
  readonly answersAt: (address: Address) => void
  /** Wait for the end of its connections, and of the process before it, within limits; then end what is left. */
  readonly end: (limits: LeftLimits, predecessor: Predecessor | undefined) => Promise<void>
}

/** Leave, for a process that took over and answers at `to` what still comes to us; undefined where nothing does. */
export function leaveTo(to: Address | undefined, succession: GateSuccession): Left {
  const ended = succession.leave(to)
  return {
    drain: limits => succession.drain(limits),
    answersAt: address => void succession.leave(address),
    end: async ({ now, alone, streamsMs }, predecessor) => {
      const over = new AbortController()
      const waiting = [
        Promise.all([ended, predecessor?.gone()]),
        delay(streamsMs, AbortSignal.any([over.signal, now])),
        whenAborted(alone, over.signal).then(() => delay(orphanMs, over.signal)),
      ]
      await Promise.race(waiting).catch(() => {})
      over.abort()
      await Promise.allSettled(waiting.slice(1))
      succession.end()
    },
  }
}

/** Put what came of several drains into one. */
export function allDrained(drained: readonly Drained[]): Drained {
  return { ok: drained.every(({ ok }) => ok), evidence: drained.map(({ evidence }) => evidence).join('; ') }
}

function whenAborted(signal: AbortSignal, over: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    for (const each of [signal, over]) {
      if (each.aborted) resolve()
      else each.addEventListener('abort', () => resolve(), { once: true })
    }
  })
}

/**
 * Refuse where whoever started us does not follow another process, and would start us again or end what we left.
 *
 * Source: systemd.exec(5), SYSTEMD_EXEC_PID; supervisord's subprocess environment. Errors: GATE_UPGRADE_REFUSED.
 */
export function assertFollowed(environment: Environment): void {
  if (process.pid === 1) throw refused('a container ends with its first process')
  if (environment['SUPERVISOR_ENABLED'] === '1') throw refused('supervisor follows only the process that it started')
  if (environment['SYSTEMD_EXEC_PID'] === String(process.pid) && environment['NOTIFY_SOCKET'] === undefined) {
    throw refused(
      'its systemd unit does not let it name another process',
      'write its units again with cutover serve --write-units',
    )
  }
}

/** Tell systemd, where it started us, which process is the one to watch. Source: sd_notify(3), MAINPID. Errors: those of a command. */
export async function tellMainProcess(pid: number, environment: Environment): Promise<void> {
  if (environment['NOTIFY_SOCKET'] === undefined) return
  await execute(['systemd-notify', `MAINPID=${pid}`], { timeoutMs: 5000 })
}

/** Refuse to be replaced. */
export function refused(why: string, hint?: string): ReleaseError {
  return new ReleaseError('GATE_UPGRADE_REFUSED', `this serving process cannot be replaced: ${why}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { why },
  })
}
