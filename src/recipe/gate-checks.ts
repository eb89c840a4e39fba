import type { RecipeProblem } from './checks.ts'
import type { Recipe } from './schema.ts'

/** Find what the keys of a gate ask of each other, and of the secrets. */
export function gateProblems({ node }: Recipe): readonly RecipeProblem[] {
  return [...shapings(node.gate), ...bypass(node)]
}

type Gate = Recipe['node']['gate']

/** What is done to requests that pass needs a gate that they pass through. */
function shapings({ mode, soft, recovery }: Gate): RecipeProblem[] {
  if (mode === 'proxy') return []
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

function problem(path: readonly (string | number)[], message: string): RecipeProblem {
  return { path: ['node', 'gate', ...path], message }
}
