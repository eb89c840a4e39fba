import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../../core/error.ts'
import { readTextIfExists, removeFile, writeFileAtomic } from '../../sys/files.ts'
import type { UnixAddress } from '../front/address.ts'
import { countConnections } from './loopback-connections.ts'
import { checkConfiguration } from './nginx-check.ts'
import { applicationPorts, renderUpstreams } from './nginx-file.ts'
import { findMaster, reloadNginx, runsWhatIsWritten, workerAccounts } from './nginx-process.ts'
import type { Route, Router } from './router.ts'
import { assertSearchable } from './searchable.ts'

/** What is ours in the configuration of the nginx of the machine. */
export interface NginxPlaces {
  /** Our upstreams are `NAME-app`, `NAME-app-2` and `NAME-wait`. */
  readonly name: string
  /** The file that it includes. */
  readonly file: string
  readonly pidFile: string
  /** How its configuration is checked and written out: `nginx -T -q`. */
  readonly check: readonly string[]
  readonly waiting: UnixAddress
}

/** The files that say of each request where it goes while they are there: beside the socket, where the workers can look and nobody else. */
export function flagsOf(waiting: UnixAddress) {
  const folder = path.dirname(waiting.path)
  return { waits: path.join(folder, 'waits'), second: path.join(folder, 'second') } as const
}

/**
 * Tell the nginx of the machine where requests go, by files.
 *
 * For each request, also on a connection that is kept open, nginx looks for two flags: one says that it waits, one that the application is
 * at its second port. So to hold, to pass and to go to another version takes no reload. One is needed only when somebody else has taken a
 * port, or when what runs is not what is written; see {@link reloadNginx} for what that does to connections. A configuration that is not
 * accepted is taken back.
 */
export function nginxRouter(places: NginxPlaces): Router {
  const { file, pidFile, check, waiting, name } = places
  const { waits, second } = flagsOf(waiting)
  const knownPorts = () => applicationPorts(readTextIfExists(file) ?? '')
  const render = (ports: readonly [number, number]) => renderUpstreams({ name, ports, waiting })
  let isLoaded = false

  /** Bring the file into effect, with these ports. */
  async function load(ports: readonly [number, number]): Promise<void> {
    findMaster(pidFile)
    const [before, after] = [readTextIfExists(file), render(ports)]
    if (isLoaded && before === after) return
    isLoaded = false
    if (before !== after) writeFileAtomic(file, after)
    try {
      const files = await checkConfiguration(check, [waits, second])
      if (!runsWhatIsWritten(pidFile, files)) await reloadNginx(pidFile)
    } catch (caught) {
      if (before !== undefined && before !== after) writeFileAtomic(file, before)
      throw caught
    }
    isLoaded = true
  }

  async function turnAway(): Promise<void> {
    const wasThere = fs.existsSync(waits)
    raise(waits)
    try {
      await load(knownPorts() ?? neverUsedPorts)
    } catch (caught) {
      if (!wasThere) removeFile(waits)
      throw caught
    }
  }

  async function letThrough(port: number): Promise<void> {
    const known = knownPorts() ?? neverUsedPorts
    await load(known.includes(port) ? known : [port, known[1]])
    // Nobody looks for it while requests wait.
    if (isSecond(port)) raise(second)
    else removeFile(second)
    removeFile(waits)
  }

  const isSecond = (port: number) => knownPorts()?.[1] === port

  return {
    kind: 'nginx',
    knownPorts: () => knownPorts() ?? [],
    prepare: async ports => {
      if (knownPorts() === undefined) writeFileAtomic(file, render(ports))
      raise(waits)
    },
    follow: route => (route.kind === 'waiting' ? turnAway() : letThrough(route.place.port)),
    assertReaching: async () => {
      for (const account of workerAccounts(pidFile)) assertSearchable(path.dirname(waits), account)
    },
    isFollowed: async (route: Route) => {
      findMaster(pidFile)
      const ports = knownPorts()
      if (!isLoaded || ports === undefined || readTextIfExists(file) !== render(ports)) return false
      if (route.kind === 'waiting') return fs.existsSync(waits)
      const { port } = route.place
      return !fs.existsSync(waits) && ports.includes(port) && fs.existsSync(second) === isSecond(port)
    },
    inFlight: async place => {
      // It keeps no connection to the application that has no request on it, unless its configuration says so.
      if (place.kind === 'tcp') return countConnections(place.port)
      throw new ReleaseError('GATE_SERVER_SETTINGS', 'what nginx has in flight at a socket is not known')
    },
    rest: async () => {},
  }
}

/** Where no application is, for a file that somebody took away. */
const neverUsedPorts = [1, 2] as const

function raise(flag: string): void {
  if (!fs.existsSync(flag)) writeFileAtomic(flag, '', { mode: 0o644 })
}
