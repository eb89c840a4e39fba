import path from 'node:path'
import { ControlServer } from '../gate/control/control-server.ts'
import { controlSocket } from '../gate/control/protocol.ts'
import { type Address, formatAddress } from '../gate/front/address.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import type { GateKind } from '../recipe/schema.ts'
import type { DriverPlaces } from '../service/driver.ts'
import { instanceName } from '../service/names.ts'
import { baseEnvironment } from '../service/spec.ts'
import type { Lock } from '../sys/lock.ts'
import type { HandedSocket } from '../sys/process.ts'
import type { Predecessor } from './serve-predecessor.ts'
import { ServeSession } from './serve-session.ts'
import { obeySignals } from './serve-signals.ts'
import { ServeUpgrade } from './serve-upgrade.ts'
import type { SuccessionChannel } from './succession.ts'
import type { FlowTools } from './tools.ts'

export interface ServeOptions {
  readonly prefix: string
  readonly mode?: GateKind | undefined
  /** The public address instead of the recipe's; port 0 takes a free one. Opens before the first release is there. */
  readonly listen?: string | undefined
  /** Listening sockets that were handed to us, as systemd does. */
  readonly inherited?: readonly HandedSocket[]
  /** Our own environment, of which services get a little. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** How to run a hold worker; see gate/drivers/hold-worker.ts. */
  readonly workerArgv: readonly [string, ...string[]]
  /** How to run a process that is to take our place: the executable at a path, or our own as it is on the disk then. */
  readonly successorArgv: (cutover: string | undefined) => readonly [string, ...string[]]
  /** The process whose place we are to take; without one nobody may serve the prefix. */
  readonly predecessor?: SuccessionChannel | undefined
  /** Whether signals set the mode; see flow/serve-signals.ts. */
  readonly obeysSignals?: boolean
}

/** The prefix that is served. */
export interface ServePlace {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
}

/** What a serving process is started with. */
export interface ServeContext {
  readonly options: ServeOptions
  readonly place: ServePlace
  readonly tools: FlowTools
}

/** What it finds: sockets that it was handed, and what runs already. */
export interface ServeFindings {
  readonly inherited: readonly HandedSocket[]
  /** Names of the sockets that systemd handed over. */
  readonly inheritedNames: readonly string[]
  readonly servicePlace?: Address | undefined
  readonly predecessor?: Predecessor | undefined
}

/** A session, with what it runs in. */
export interface Serving {
  readonly context: ServeContext
  readonly session: ServeSession
  readonly places: DriverPlaces
  /** Aborted by the signal, or when a `shutdown` was asked for. */
  readonly ended: AbortSignal
}

/** Make the session of a serving process. Nothing is opened or started yet. */
export function openServing(context: ServeContext, { inheritedNames, ...found }: ServeFindings): Serving {
  const { options, place, tools } = context
  const { paths, identity } = place
  const shutdown = new AbortController()
  const places = {
    instance: instanceName(identity.application, paths.root),
    root: paths.root,
    runFolder: paths.run,
    logFolder: paths.log,
    clock: tools.clock,
    environment: options.environment,
    inheritedNames,
  }
  const session = new ServeSession({
    ...found,
    ...place,
    mode: options.mode,
    listen: options.listen,
    workerArgv: options.workerArgv,
    base: baseEnvironment(options.environment),
    places,
    clock: tools.clock,
    emit: tools.emit,
    shutdown: () => shutdown.abort(),
  })
  return { context, session, places, ended: AbortSignal.any([tools.signal, shutdown.signal]) }
}

/** How a serving process begins. */
export interface Beginning {
  /** Make it ready for requests of installers. */
  readonly start: () => Promise<unknown>
  /** Undo what was done of that before it failed. */
  readonly undo: () => Promise<void>
  /** Called when they come here. Post: the lock of whoever serves. */
  readonly began: () => Promise<Lock>
}

/** Serve until it is ended or another process has taken over. Post: services are stopped, or another's; how it ended, in words. */
export async function runServing(
  { context, session, ended }: Serving,
  { start, undo, began }: Beginning,
): Promise<string> {
  const { options, place, tools } = context
  const upgrade = new ServeUpgrade({
    session,
    environment: options.environment,
    successorArgv: options.successorArgv,
    reclaim: () => control.reclaim(),
    signal: tools.signal,
  })
  let control: ControlServer
  try {
    await start()
    control = await ControlServer.listen(path.join(place.paths.root, controlSocket), request => upgrade.handle(request))
    control.publish()
  } catch (caught) {
    await undo()
    throw caught
  }
  const lock = began()
  upgrade.allow(lock)
  const handled = { handle: upgrade.handle.bind(upgrade), reload: session.reload.bind(session) }
  using _signals = options.obeysSignals === true ? obeySignals(handled, tools) : undefined
  tools.emit({ kind: 'note', message: servingMessage(session) })
  await whenAborted(AbortSignal.any([ended, upgrade.left]))
  await upgrade.idle()
  await control.stopTaking()
  if (!upgrade.left.aborted) {
    await control.close()
    await session.end()
    await released(lock)
    return 'ended, services stopped'
  }
  // Its successor waits for it, and what we answer yet may wait for that.
  await released(lock)
  await control.close()
  return `ended, ${await upgrade.end(tools.signal)} serves in its place`
}

async function released(lock: Promise<Lock>): Promise<void> {
  const held = await lock
  held.release()
}

function servingMessage(session: ServeSession): string {
  if (session.address === undefined) return 'waiting for a first release'
  return `serving ${formatAddress(session.address)}`
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
