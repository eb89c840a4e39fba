import http from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { ReleaseError } from '../core/error.ts'
import { isLoopback } from '../core/loopback.ts'

/** The longest wait for a connection; what is said over it has waits of its own. */
const usualConnectTimeoutMs = 10_000

/** What names proxies. Lower case comes first, as everywhere. Source: Node's documentation of `proxyEnv`. */
const proxyVariables = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'] as const
type ProxyEnvironment = Readonly<Partial<Record<string, string>>>

/** The connections of one way to reach servers, kept for further requests. */
interface Agents {
  readonly plain: http.Agent
  readonly secure: https.Agent
}

let known: { readonly key: string; readonly agents: Agents } | undefined
let direct: Agents | undefined

/**
 * Find the connections for requests to an address: through the proxy that the environment names, but never to this machine, which a proxy would
 * take for itself.
 *
 * Errors: PROXY_INVALID.
 */
export function agentFor(url: URL): http.Agent {
  if (isLoopback(url.hostname)) direct ??= createAgents({})
  const agents = isLoopback(url.hostname) ? direct! : proxied(process.env)
  return url.protocol === 'https:' ? agents.secure : agents.plain
}

/** Make connections that are given up after a while. Errors: PROXY_INVALID. */
export function createAgents(environment: ProxyEnvironment, connectTimeoutMs = usualConnectTimeoutMs): Agents {
  assertProxies(environment)
  const options = { keepAlive: true, proxyEnv: environment }
  return {
    plain: patient(new http.Agent(options), connectTimeoutMs),
    secure: patient(new https.Agent(options), connectTimeoutMs),
  }
}

function proxied(environment: ProxyEnvironment): Agents {
  const named = proxyVariables.flatMap(name => {
    const value = environment[name]
    return value === undefined || value === '' ? [] : [[name, value] as const]
  })
  const key = JSON.stringify(named)
  if (known?.key !== key) known = { key, agents: createAgents(Object.fromEntries(named)) }
  return known.agents
}

function patient<A extends http.Agent>(agent: A, timeoutMs: number): A {
  const create = agent.createConnection.bind(agent)
  agent.createConnection = (...parameters) => limited(create(...parameters), timeoutMs)
  return agent
}

/** Give a connection up that does not come about: some networks drop what they do not want, and say nothing. */
function limited<T extends Duplex | null | undefined>(socket: T, timeoutMs: number): T {
  if (!socket || !('connecting' in socket) || socket.connecting !== true) return socket
  const late = () => {
    const error = new Error(`no connection for ${timeoutMs} ms`)
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT', syscall: 'connect' }))
  }
  const timer = setTimeout(late, timeoutMs)
  const end = () => clearTimeout(timer)
  socket.once('connect', end).once('close', end)
  return socket
}

/** Node takes what it cannot read for no proxy at all, and would go around the one that was meant. */
function assertProxies(environment: ProxyEnvironment): void {
  for (const name of proxyVariables) {
    const value = environment[name]
    if (value === undefined || value === '' || name.toLowerCase() === 'no_proxy') continue
    if (URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)) continue
    throw new ReleaseError('PROXY_INVALID', `${name} is not the address of an HTTP proxy`, {
      details: { variable: name },
    })
  }
}
