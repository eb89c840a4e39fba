import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { runSteps, type Step } from '../core/step.ts'
import { formatAddress } from '../gate/front/address.ts'
import { readIdentity } from '../prefix/identity.ts'
import { prefixPaths } from '../prefix/layout.ts'
import type { DriverPlaces } from '../service/driver.ts'
import { openManager } from '../service/drivers.ts'
import { endLeftovers } from '../service/leftovers.ts'
import { makeFolder } from '../sys/files.ts'
import { removeRelaySockets, serveAfter } from './serve-after.ts'
import { lockServing } from './serve-lock.ts'
import { openServing, runServing, type ServeOptions, type ServePlace } from './serve-process.ts'
import type { ServeSession } from './serve-session.ts'
import type { FlowTools } from './tools.ts'

export type { ServeOptions } from './serve-process.ts'

interface BeginState {
  readonly prefix: string
  readonly session: ServeSession
  readonly places: DriverPlaces
}

const steps: readonly Step<BeginState, unknown>[] = [
  // Services of a serving process that was killed would hold the port, the data or the socket.
  { name: 'leftovers', required: true, run: endLeftoverServices },
  // From here an installer finds us, and waits for what it asks.
  { name: 'open', required: false, run: openGate },
  { name: 'start', required: false, run: startServices },
]

/**
 * Serve a prefix: own its public address, run the services of its active release, be its gate, and do what installers ask.
 *
 * Post: resolves once ended by the signal or a `shutdown` request, services stopped; or once a successor serves in our place and those
 * who were with us are gone. Errors: PREFIX_UNKNOWN, SERVE_BUSY, GATE_ADDRESS_IN_USE, HANDOVER_UNSUPPORTED, those of the release; of a
 * successor GATE_UPGRADE_FAILED and SERVICE_ADOPT_FAILED. Crash: services go on without us (in handover with their clients); the next
 * `serve` ends them and goes on in the persisted mode.
 */
export async function serve(options: ServeOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  const place = { paths, identity: readIdentity(paths) }
  for (const folder of [paths.run, paths.log]) makeFolder(folder)
  const { predecessor } = options
  const message = await (predecessor === undefined
    ? serveAnew(options, place, tools)
    : serveAfter(predecessor, { options, place, tools }))
  tools.emit({
    kind: 'run-done',
    command: 'serve',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message,
  })
}

async function serveAnew(options: ServeOptions, place: ServePlace, tools: FlowTools): Promise<string> {
  const { paths } = place
  using lock = await lockServing(paths)
  const inherited = options.inherited ?? []
  const serving = openServing(
    { options, place, tools },
    { inherited, inheritedNames: inherited.map(({ name }) => name) },
  )
  tools.emit({ kind: 'run-started', command: 'serve', subject: paths.root, steps: steps.map(step => step.name) })
  const state = { prefix: paths.root, session: serving.session, places: serving.places }
  return await runServing(serving, {
    start: () => runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs }),
    undo: () => serving.session.end(),
    began: async () => lock,
  })
}

async function endLeftoverServices({ places }: BeginState): Promise<Outcome<string | undefined>> {
  removeRelaySockets(places.runFolder)
  const ended = await endLeftovers(places.runFolder, (kind, service) => openManager(kind, places).stop(service))
  return done(ended.length === 0 ? undefined : `ended ${ended.join(', ')}, left by a process that was killed`)
}

async function openGate({ session, prefix }: BeginState): Promise<Outcome<string>> {
  await session.open()
  if (session.address !== undefined) return done(formatAddress(session.address))
  return skipped('SERVE_NO_RELEASE', `${prefix} has no release yet, so its address is not known`)
}

async function startServices({ session }: BeginState): Promise<Outcome<string>> {
  try {
    if (await session.resume()) return done('the active release runs')
  } catch (caught) {
    // Without us nothing would answer its clients and no installer could bring a better release.
    if (!(caught instanceof ReleaseError)) throw caught
    return skipped(caught.code, `the active release cannot be started: ${caught.message}`)
  }
  return skipped('SERVE_NO_RELEASE', 'there is no release to start, or its installation is under way')
}
