import { ReleaseError } from '../../core/error.ts'
import { readTextIfExists, writeFileAtomic } from '../../sys/files.ts'
import { persistRoute, type RouteMap, routeOf, setRoute } from './haproxy-map.ts'
import { askHaproxy, runtimeWord } from './haproxy-runtime.ts'
import { parseServerState, type ServerState, serverStateText } from './haproxy-state.ts'
import type { Route, Router } from './router.ts'

/** What is ours in the configuration of the HAProxy of the machine. */
export interface HaproxyPlaces extends RouteMap {
  /** The line of the map that says where our requests go. */
  readonly key: string
  /** Our backends are `NAME-app` and `NAME-wait`. */
  readonly name: string
  /** Where the port of the application is kept for a reload. */
  readonly stateFile: string
}

/** The names of what is ours: what clients reach, both backends, and the servers in them. */
export function backendsOf(name: string) {
  return { front: `${name}-front`, app: `${name}-app`, wait: `${name}-wait`, server: 'app', gate: 'gate' } as const
}

/** A port that nobody has: for a configuration that is read before any application was started. */
export const nowherePort = 1

/**
 * Tell the HAProxy of the machine where requests go, over its runtime socket.
 *
 * A map says for each request, also on a connection that is kept open, which of two backends gets it. What is told is in the map's file and
 * in the backend's state file first, so that a reload or a restart goes on alike. A worker that a reload replaced finishes what it has and
 * takes no more: neither can it be told anything, nor is it asked what it has in flight.
 */
export function haproxyRouter(places: HaproxyPlaces): Router {
  const { socket, map, key, name, stateFile } = places
  const backends = backendsOf(name)
  const server = runtimeWord(`${backends.app}/${backends.server}`)
  const routeMap = { socket, map }
  const backendOf = (route: Route) => (route.kind === 'application' ? backends.app : backends.wait)

  const show = () => askHaproxy(socket, `show servers state ${runtimeWord(backends.app)}`)
  const stateIn = (shown: string) => parseServerState(shown, backends.app, backends.server)

  async function become(wanted: ServerState): Promise<void> {
    const shown = await show()
    const before = readTextIfExists(stateFile)
    const after = serverStateText(shown, backends.app, backends.server, wanted)
    if (after !== before) writeFileAtomic(stateFile, after)
    try {
      await tell(stateIn(shown), wanted)
    } catch (caught) {
      if (before !== undefined) writeFileAtomic(stateFile, before)
      throw caught
    }
  }

  async function tell(found: ServerState, wanted: ServerState): Promise<void> {
    if (found.port !== wanted.port) await askHaproxy(socket, `set server ${server} addr 127.0.0.1 port ${wanted.port}`)
    if (found.isReady !== wanted.isReady)
      await askHaproxy(socket, `set server ${server} state ${wanted.isReady ? 'ready' : 'maint'}`)
    const after = stateIn(await show())
    if (after.port === wanted.port && after.isReady === wanted.isReady) return
    throw new ReleaseError('GATE_SERVER_REFUSED', `HAProxy did not change its server ${server} as it was told`, {
      details: { path: socket, port: after.port, isReady: after.isReady },
    })
  }

  return {
    kind: 'haproxy',
    knownPorts: () => persistedPorts(stateFile, stateIn),
    prepare: () => persistRoute(map, key, backends.wait),
    follow: async route => {
      if (route.kind === 'application') await become({ port: route.place.port, isReady: true })
      await setRoute(routeMap, key, backendOf(route))
    },
    assertReaching: () => assertReaching(socket, `${backends.wait}/${backends.gate}`),
    isFollowed: async route => {
      if ((await routeOf(routeMap, key)) !== backendOf(route)) return false
      if (route.kind === 'waiting') return true
      const { port, isReady } = stateIn(await show())
      return isReady && port === route.place.port
    },
    inFlight: async () => countSessions(await askHaproxy(socket, `show stat ${runtimeWord(backends.app)} 2 -1`)),
    // Idle connections are closed with it; requests that were sent there all the same go to the waiting room, which is its backup.
    rest: async () => {
      const { port, isReady } = stateIn(await show())
      if (isReady) await become({ port, isReady: false })
    },
  }
}

/** What a reload would know. A file that is not HAProxy's is not used by it either. */
function persistedPorts(stateFile: string, stateIn: (text: string) => ServerState): readonly number[] {
  const text = readTextIfExists(stateFile)
  if (text === undefined) return []
  try {
    const { port } = stateIn(text)
    return port > nowherePort && port <= 65_535 ? [port] : []
  } catch (caught) {
    if (caught instanceof ReleaseError) return []
    throw caught
  }
}

/** How long HAProxy may take to notice that we are there: some of the pauses between its checks. */
const checkTimeoutMs = 2000
const checkPollMs = 50

/**
 * Wait until the check of a server was good. A server without a check passes: then nobody knows.
 *
 * Source: Management Guide §9.1: check_status is empty without a check, `INI` before the first one, `L4OK` after a good one.
 */
async function assertReaching(socket: string, server: string): Promise<void> {
  const [backend = '', name = ''] = server.split('/')
  const endMs = performance.now() + checkTimeoutMs
  for (;;) {
    const rows = readStat(await askHaproxy(socket, `show stat ${runtimeWord(backend)} 4 -1`))
    const found = rows.find(row => row['svname'] === name)
    const status = found?.['check_status'] ?? ''
    if (found !== undefined && (status === '' || status.endsWith('OK'))) return
    if (found === undefined || performance.now() > endMs) {
      const seen = found === undefined ? 'it has no such server' : `${status} ${found['last_chk'] ?? ''}`.trim()
      throw new ReleaseError('GATE_SERVER_REFUSED', `HAProxy does not reach our waiting room as ${server}: ${seen}`, {
        hint: 'look whether node.gate.haproxy.group is its group and chroot its chroot, and compare with `cutover gate config haproxy`',
        details: { server },
      })
    }
    await new Promise(resolve => setTimeout(resolve, checkPollMs))
  }
}

/** Count the requests of a backend, those that wait for a connection among them. */
function countSessions(csv: string): number {
  return readStat(csv).reduce((sum, row) => sum + Number(row['scur']), 0)
}

/** Read statistics. Source: Management Guide §9.1, CSV with the names of the columns in its first line. */
function readStat(csv: string): readonly Readonly<Record<string, string>>[] {
  const [head = '', ...rows] = csv.split('\n')
  const names = head.replace(/^# /, '').split(',')
  return rows.map(row => {
    const values = row.split(',')
    return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']))
  })
}
