import type { RecipeProblem } from './checks.ts'
import { placeholderNames } from './placeholders.ts'
import type { Recipe } from './schema.ts'

/** Find what the keys of a gate ask of each other, and of the secrets. */
export function gateProblems({ node }: Recipe): readonly RecipeProblem[] {
  return [...shapings(node.gate), ...certificates(node.gate), ...bypass(node), ...sockets(node)]
}

type Gate = Recipe['node']['gate']

/** What is done to requests that pass needs a gate that they pass through, or can be led through. */
function shapings({ mode, soft, recovery }: Gate): RecipeProblem[] {
  if (mode !== 'handover') return []
  return Object.entries({ soft, recovery }).flatMap(([key, { for: lastsMs }]) =>
    lastsMs === 0
      ? []
      : [
          problem(
            [key, 'for'],
            `expected 0s in mode ${mode}, in which requests do not pass through the gate, found more`,
          ),
        ],
  )
}

/** TLS is spoken with a certificate. In the other modes it is somebody else's affair. */
function certificates({ mode, listen, tls }: Gate): RecipeProblem[] {
  if (mode !== 'proxy' || tls !== undefined) return []
  return listen.flatMap((listener, index) =>
    listener.tls
      ? [problem(['listen', index, 'tls'], 'expected a certificate for it in node.gate.tls, found none')]
      : [],
  )
}

function bypass({ gate: { mode, bypass: wanted }, secrets }: Recipe['node']): RecipeProblem[] {
  const { secret, networks } = wanted
  const isWanted = secret !== undefined || networks.length > 0
  if (mode === 'handover' && isWanted) {
    const message =
      'expected none in mode handover, in which the application accepts by itself as soon as it can, found it'
    return [problem(['bypass'], message)]
  }
  if (secret === undefined || secrets.some(({ name }) => name === secret)) return []
  const names = secrets.map(({ name }) => name)
  const expected = names.length === 0 ? 'a secret of node.secrets, which has none' : `one of ${names.join(', ')}`
  return [problem(['bypass', 'secret'], `expected ${expected}, found ${secret}`)]
}

/** The socket of a service is its user's: a server of the machine reaches a port only. */
function sockets({ gate: { mode }, services }: Recipe['node']): RecipeProblem[] {
  if (mode !== 'haproxy' && mode !== 'nginx') return []
  return services.flatMap((service, index) => {
    const texts = [...service.command, ...Object.values(service.environment)]
    if (!service.listens || !texts.some(text => placeholderNames(text).includes('socket'))) return []
    const message = `expected \${port} in mode ${mode}, whose server reaches no socket of a service, found \${socket}`
    return [{ path: ['node', 'services', index], message }]
  })
}

function problem(path: readonly (string | number)[], message: string): RecipeProblem {
  return { path: ['node', 'gate', ...path], message }
}
