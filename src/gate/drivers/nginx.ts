import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../../core/error.ts'
import { readTextIfExists, removeFile, writeFileAtomic } from '../../sys/files.ts'
import type { Address, UnixAddress } from '../front/address.ts'
import { countConnections } from './loopback-connections.ts'
import { checkConfiguration } from './nginx-check.ts'
import { applicationPort, renderUpstreams } from './nginx-file.ts'
import { findMaster, reloadNginx, workerAccounts } from './nginx-process.ts'
import type { Route, Router } from './router.ts'
import { assertSearchable } from './searchable.ts'

/** What is ours in the configuration of the nginx of the machine. */
export interface NginxPlaces {
  /** Our upstreams are `NAME-app` and `NAME-wait`. */
  readonly name: string
  /** The file that it includes. */
  readonly file: string
  readonly pidFile: string
  /** How its configuration is checked and written out: `nginx -T -q`. */
  readonly check: readonly string[]
  readonly waiting: UnixAddress
}

/** The file that has requests wait while it is there: beside the socket, where the workers can look and nobody else. */
export function flagOf(waiting: UnixAddress): string {
  return path.join(path.dirname(waiting.path), 'waiting')
}

/**
 * Tell the nginx of the machine where requests go, by files.
 *
 * For each request, also on a connection that is kept open, nginx looks whether the flag is there: to hold and to pass takes no reload.
 * One is needed when the application moves to another port, and once in our life so that what runs is what is written; see
 * {@link reloadNginx} for what that does to connections. A configuration that is not accepted is taken back.
 */
export function nginxRouter(places: NginxPlaces): Router {
  const { file, pidFile, check, waiting, name } = places
  const flag = flagOf(waiting)
  const render = (application: Address | undefined) => renderUpstreams({ name, application, waiting })
  const knownPort = () => applicationPort(readTextIfExists(file) ?? '')
  let isLoaded = false

  /** What the file says of the application, with the rest as it is to be now. */
  function renderKnown(): string {
    const port = knownPort()
    return render(port === undefined ? undefined : { kind: 'tcp', host: '127.0.0.1', port })
  }

  /** Bring a configuration into effect, unless it is. */
  async function load(text: string): Promise<void> {
    findMaster(pidFile)
    const before = readTextIfExists(file)
    if (isLoaded && before === text) return
    isLoaded = false
    if (before !== text) writeFileAtomic(file, text)
    try {
      await checkConfiguration(check, flag)
      await reloadNginx(pidFile)
    } catch (caught) {
      if (before !== undefined && before !== text) writeFileAtomic(file, before)
      throw caught
    }
    isLoaded = true
  }

  async function turnAway(): Promise<void> {
    const wasThere = fs.existsSync(flag)
    if (!wasThere) writeFileAtomic(flag, '', { mode: 0o644 })
    try {
      await load(renderKnown())
    } catch (caught) {
      if (!wasThere) removeFile(flag)
      throw caught
    }
  }

  return {
    kind: 'nginx',
    knownPort,
    prepare: async () => {
      if (readTextIfExists(file) === undefined) writeFileAtomic(file, renderKnown())
      writeFileAtomic(flag, '', { mode: 0o644 })
    },
    follow: async route => {
      if (route.kind === 'waiting') return turnAway()
      await load(render(route.place))
      removeFile(flag)
    },
    assertReaching: async () => {
      for (const account of workerAccounts(pidFile)) assertSearchable(path.dirname(flag), account)
    },
    isFollowed: async (route: Route) => {
      findMaster(pidFile)
      if (!isLoaded || fs.existsSync(flag) !== (route.kind === 'waiting')) return false
      return route.kind === 'waiting' || readTextIfExists(file) === render(route.place)
    },
    inFlight: async place => {
      // It keeps no connection to the application that has no request on it, unless its configuration says so.
      if (place.kind === 'tcp') return countConnections(place.port)
      throw new ReleaseError('GATE_SERVER_SETTINGS', 'what nginx has in flight at a socket is not known')
    },
    rest: async () => {},
  }
}
