import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { runSteps, type Step } from '../core/step.ts'
import { listenForControl } from '../gate/control/control-server.ts'
import { controlSocket } from '../gate/control/protocol.ts'
import { formatAddress } from '../gate/front/address.ts'
import { readIdentity } from '../prefix/identity.ts'
import { prefixPaths } from '../prefix/layout.ts'
import type { GateKind } from '../recipe/schema.ts'
import type { DriverPlaces } from '../service/driver.ts'
import { openManager } from '../service/drivers.ts'
import { endLeftovers } from '../service/leftovers.ts'
import { instanceName } from '../service/names.ts'
import { baseEnvironment } from '../service/spec.ts'
import { makeFolder } from '../sys/files.ts'
import { type Lock, takeLock } from '../sys/lock.ts'
import type { HandedSocket } from '../sys/process.ts'
import { ServeSession } from './serve-session.ts'
import { obeySignals } from './serve-signals.ts'
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
  /** Whether signals set the mode; see flow/serve-signals.ts. */
  readonly obeysSignals?: boolean
}

interface ServeState {
  readonly options: ServeOptions
  readonly session: ServeSession
  readonly places: DriverPlaces
}

const steps: readonly Step<ServeState, unknown>[] = [
  // Services of a serving process that was killed would hold the port, the data or the socket.
  { name: 'leftovers', required: true, run: endLeftoverServices },
  // From here an installer finds us, and waits for what it asks.
  { name: 'open', required: false, run: openGate },
  { name: 'start', required: false, run: startServices },
]

/**
 * Serve a prefix: own its public address, run the services of its active release, be its gate, and do what installers ask.
 *
 * Post: resolves once ended by the signal or a `shutdown` request, services stopped. Errors: PREFIX_UNKNOWN, SERVE_BUSY,
 * GATE_ADDRESS_IN_USE, HANDOVER_UNSUPPORTED, those of the release. Crash: services go on without us (in handover with their clients);
 * the next `serve` ends them and goes on in the persisted mode.
 */
export async function serve(options: ServeOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  for (const folder of [paths.run, paths.log]) makeFolder(folder)
  using _lock = await lockServing(path.join(paths.run, 'serve.lock'), paths.root)
  const shutdown = new AbortController()
  const places = {
    instance: instanceName(identity.application, paths.root),
    root: paths.root,
    runFolder: paths.run,
    logFolder: paths.log,
    clock: tools.clock,
    environment: options.environment,
    inheritedNames: (options.inherited ?? []).map(socket => socket.name),
  }
  const session = new ServeSession({
    paths,
    identity,
    mode: options.mode,
    listen: options.listen,
    inherited: options.inherited ?? [],
    workerArgv: options.workerArgv,
    base: baseEnvironment(options.environment),
    places,
    clock: tools.clock,
    emit: tools.emit,
    shutdown: () => shutdown.abort(),
  })
  const ended = whenAborted(AbortSignal.any([tools.signal, shutdown.signal]))
  tools.emit({ kind: 'run-started', command: 'serve', subject: paths.root, steps: steps.map(step => step.name) })
  try {
    await runSteps(
      steps,
      { options: { ...options, prefix: paths.root }, session, places },
      { emit: tools.emit, nowMs: tools.clock.elapsedMs },
    )
    const control = await listenForControl(path.join(paths.root, controlSocket), request => session.handle(request))
    using _signals = options.obeysSignals === true ? obeySignals(session, tools) : undefined
    try {
      tools.emit({ kind: 'note', message: servingMessage(session) })
      await ended
    } finally {
      await control.close()
    }
  } finally {
    await session.end()
  }
  tools.emit({
    kind: 'run-done',
    command: 'serve',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: 'ended, services stopped',
  })
}

async function endLeftoverServices({ places }: ServeState): Promise<Outcome<string | undefined>> {
  const ended = await endLeftovers(places.runFolder, (kind, service) => openManager(kind, places).stop(service))
  return done(ended.length === 0 ? undefined : `ended ${ended.join(', ')}, left by a process that was killed`)
}

async function openGate({ session, options }: ServeState): Promise<Outcome<string>> {
  await session.open()
  if (session.address !== undefined) return done(formatAddress(session.address))
  return skipped('SERVE_NO_RELEASE', `${options.prefix} has no release yet, so its address is not known`)
}

async function startServices({ session }: ServeState): Promise<Outcome<string>> {
  try {
    if (await session.resume()) return done('the active release runs')
  } catch (caught) {
    // Without us nothing would answer its clients and no installer could bring a better release.
    if (!(caught instanceof ReleaseError)) throw caught
    return skipped(caught.code, `the active release cannot be started: ${caught.message}`)
  }
  return skipped('SERVE_NO_RELEASE', 'there is no release to start, or its installation is under way')
}

async function lockServing(file: string, prefix: string): Promise<Lock> {
  try {
    return await takeLock(file, { command: 'serve' })
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || caught.code !== 'LOCKED') throw caught
    throw new ReleaseError('SERVE_BUSY', `${prefix} is served already: ${caught.message}`, {
      hint: 'ask it with `cutover gate status`, or end it first',
      cause: caught,
      details: caught.details,
    })
  }
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
