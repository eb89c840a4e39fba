import type { RecipeProblem } from './checks.ts'
import { placeholderNames } from './placeholders.ts'
import type { Recipe } from './schema.ts'

const at = ['node', 'gate'] as const

/** Find what mode handover cannot do: nothing of ours is before the application, and two versions share its sockets. */
export function handoverProblems({ node }: Recipe): readonly RecipeProblem[] {
  if (node.gate.mode !== 'handover') return []
  const listeners = node.gate.listen.flatMap(({ tls, proxyProtocol }, index) => [
    ...(tls ? [notHere(index, 'tls')] : []),
    ...(proxyProtocol ? [notHere(index, 'proxyProtocol')] : []),
  ])
  if (!node.gate.overlap || namesVersion(node.health)) return listeners
  const message =
    'expected node.health.http with ${version} in contains or in a header, for in mode handover both versions answer at one address, found none'
  return [...listeners, { path: [...at, 'overlap'], message }]
}

function notHere(index: number, key: 'tls' | 'proxyProtocol'): RecipeProblem {
  const message = `expected no ${key} in mode handover, in which the application reads what comes, found it; use mode proxy, or let the application do it`
  return { path: [...at, 'listen', index, key], message }
}

/** Whether an answer tells which version gave it. */
function namesVersion({ http }: Recipe['node']['health']): boolean {
  if (http === undefined) return false
  const texts = [http.contains ?? '', ...http.headers.map(header => header.contains)]
  return texts.flatMap(placeholderNames).some(name => name === 'version' || name === 'pythonVersion')
}
