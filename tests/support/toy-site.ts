import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { silent } from '../../src/core/event.ts'
import { slotsConfig } from '../../src/flow/slots-config.ts'
import { initSlots } from '../../src/flow/slots-init.ts'
import { prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import type { RoleSlots } from '../../src/prefix/site.ts'
import type { SiteRouter } from '../../src/slots/document.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { type FrontServer, haproxyServer, nginxCheck, nginxServer } from './front-servers.ts'
import { freePort } from './ports.ts'
import { tempFolder } from './temp.ts'
import { type Serving, startServing, toyPrefix } from './toy-prefix.ts'

/** A site of two slots that run tests/support/toy-app.ts, behind a real server. */
export interface ToySite {
  readonly root: string
  readonly front: FrontServer
  /** Where that server accepts. */
  readonly port: number
  readonly prefixOf: (slot: Slot) => string
  readonly servings: Record<Slot, Serving>
  /** Make another release the active one of a slot and run it in its present role, as an installation would. */
  readonly upgrade: (slot: Slot, version: string, more?: ReleaseOptions) => Promise<void>
  /** Serve a slot again whose serving process was ended. */
  readonly serve: (slot: Slot) => Promise<void>
  readonly end: () => Promise<void>
}

/** The slots of a toy site. */
export type Slot = 'blue' | 'green'

export interface ReleaseOptions {
  /** How it misbehaves in role production only. */
  readonly asProduction?: string
  readonly migrations?: readonly object[]
}

/** The name that clients of a role ask for. */
export const hostOf = { production: 'www.example.org', development: 'test.example.org' } as const

/** What steps of a switch work with, in a test. */
export const quietTools = { emit: silent, clock: systemClock, signal: new AbortController().signal }

/** Make a site, serve both slots, and put a server in front. Post: blue is production, and clients are led nowhere yet. */
export async function startToySite(kind: SiteRouter['kind']): Promise<ToySite> {
  const folder = tempFolder()
  fs.chmodSync(folder, 0o755)
  const root = path.join(folder, 'www')
  const prefixOf = (slot: Slot) => path.join(folder, slot)
  const port = await freePort()
  for (const slot of ['blue', 'green'] as const) toyPrefix(prefixOf(slot), { mode: 'proxy' }).switchTo('1.0.0')
  for (const slot of ['blue', 'green'] as const) addRelease(prefixOf(slot), '1.0.0', {})
  const roles: RoleSlots = { production: 'blue', development: 'green' }
  const frontFolder = path.join(folder, 'front')
  fs.mkdirSync(frontFolder)
  const router: SiteRouter =
    kind === 'haproxy'
      ? { kind, socket: path.join(frontFolder, 'admin.sock'), map: path.join(frontFolder, 'routes.map') }
      : { kind, pidFile: path.join(frontFolder, 'nginx.pid'), check: nginxCheck(frontFolder) }
  const slots = { blue: prefixOf('blue'), green: prefixOf('green') }
  const front = `127.0.0.1:${port}`
  await initSlots({ site: root, name: undefined, slots, roles, router, front, waitLockMs: 0 }, quietTools)
  makeData(root)
  const [blue, green] = await Promise.all([startServing(slots.blue), startServing(slots.green)])
  const servings = { blue, green }
  const configuration = (await slotsConfig({ site: root }))
    .replace('bind :80', `bind 127.0.0.1:${port}`)
    .replaceAll('listen 80;', `listen 127.0.0.1:${port};`)
  const server = kind === 'haproxy' ? haproxyServer : nginxServer
  const running = server(frontFolder, port, () => configuration)
  await running.start()
  return {
    root,
    front: running,
    port,
    prefixOf,
    servings,
    upgrade: async (slot, version, more = {}) => {
      addRelease(prefixOf(slot), version, more)
      toyPrefixSwitch(prefixOf(slot), version)
      await servings[slot].client.request({ kind: 'start', version })
    },
    serve: async slot => {
      servings[slot] = await startServing(prefixOf(slot), '--listen', `127.0.0.1:${servings[slot].port}`)
    },
    end: async () => {
      await Promise.all([servings.blue.end('SIGTERM'), servings.green.end('SIGTERM')])
      await running.kill()
    },
  }
}

/** What each role's folder says of itself. */
function makeData(site: string): void {
  for (const role of ['production', 'development']) {
    const folder = path.join(site, 'shared', `${role}-data`)
    fs.mkdirSync(folder, { recursive: true })
    fs.writeFileSync(path.join(folder, 'who'), role)
  }
}

function toyPrefixSwitch(prefix: string, version: string): void {
  const { current } = prefixPaths(prefix)
  fs.rmSync(current, { force: true })
  fs.symlinkSync(path.join('releases', version), current)
}

function addRelease(prefix: string, version: string, options: ReleaseOptions): void {
  const release = releasePaths(prefixPaths(prefix), version)
  fs.mkdirSync(release.metadata, { recursive: true })
  fs.writeFileSync(release.record, '{}')
  fs.writeFileSync(release.recipe, JSON.stringify(recipe(options)))
}

function recipe({ asProduction = '', migrations = [] }: ReleaseOptions): object {
  const role = (name: keyof typeof hostOf, toy: string) => ({
    environment: { TOY: toy },
    mounts: { data: `${name}-data` },
    health: { contains: 'role ${role}' },
    host: hostOf[name],
  })
  return {
    schema: 1,
    name: 'toy',
    environments: { production: { variables: {} } },
    node: {
      runtime: { kind: 'none' },
      services: [
        {
          name: 'web',
          command: [process.execPath, path.join(import.meta.dirname, 'toy-app.ts')],
          environment: {
            VERSION: '${version}',
            ROLE: '${role}',
            TOY: '${TOY}',
            DATA_FILE: '${shared}/data/who',
            PORT: '${port}',
          },
          listens: true,
          stopTimeout: '5s',
        },
      ],
      migrations,
      roles: { production: role('production', asProduction), development: role('development', '') },
      health: {
        http: { path: '/health', contains: 'version ${version}' },
        interval: '20ms',
        deadline: '5s',
        patience: '200ms',
        watch: '100ms',
      },
      gate: { mode: 'proxy', listen: '127.0.0.1:0' },
    },
  }
}

/** What clients of a role met. */
export interface ClientReport {
  readonly answered: number
  /** Anything but an answer of their own role with that role's data, in words. */
  readonly failures: readonly string[]
  readonly versions: readonly string[]
}

/** Keep clients of a role busy on keep-alive connections, GET and POST in turns, until told to stop. Nothing is ever sent again. */
export function startClients(port: number, role: keyof typeof hostOf, clients: number) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients })
  const failures: string[] = []
  const versions = new Set<string>()
  let answered = 0
  let isStopped = false
  const work = async () => {
    for (let count = 0; !isStopped; count += 1) {
      const method = count % 2 === 0 ? 'POST' : 'GET'
      const found = await askAs(role, { port, method, agent }).catch((caught: Error) => caught.message)
      if (typeof found === 'string') failures.push(`${method}: ${found}`)
      else if (found.role !== role || found.data !== role)
        failures.push(`${method}: answered by ${found.role} with ${found.data}`)
      else {
        answered += 1
        versions.add(found.version)
      }
    }
  }
  const workers = Promise.all(Array.from({ length: clients }, work))
  return {
    answered: () => answered,
    stop: async (): Promise<ClientReport> => {
      isStopped = true
      await workers
      agent.destroy()
      return { answered, failures, versions: [...versions] }
    },
  }
}

interface ToyAnswer {
  readonly version: string
  readonly role: string
  readonly data: string
}

/** Ask once as a client of a role; a status other than 200 as text. */
export function askAs(
  role: keyof typeof hostOf,
  { port, method = 'GET', agent }: { readonly port: number; readonly method?: string; readonly agent?: http.Agent },
): Promise<ToyAnswer | string> {
  return new Promise((resolve, reject) => {
    const body = method === 'POST' ? 'x'.repeat(2000) : undefined
    const headers = { host: hostOf[role], ...(body === undefined ? {} : { 'content-length': body.length }) }
    const options = {
      host: '127.0.0.1',
      port,
      path: '/echo',
      method,
      headers,
      ...(agent === undefined ? {} : { agent }),
    }
    const request = http.request(options, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', piece => {
        text += piece
      })
      response.on('end', () =>
        resolve(response.statusCode === 200 ? (JSON.parse(text) as ToyAnswer) : String(response.statusCode)),
      )
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}
