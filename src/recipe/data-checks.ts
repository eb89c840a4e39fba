import type { RecipeProblem } from './checks.ts'
import type { Recipe } from './schema.ts'

/** Find what keys about data and health ask of each other. */
export function dataProblems({ node }: Recipe): readonly RecipeProblem[] {
  return [...health(node), ...stateFormat(node), ...restore(node)]
}

type Node = Recipe['node']

function health({ health: { http, tcp, command }, services }: Node): RecipeProblem[] {
  const ways = Object.entries({ http, tcp, command }).filter(([, way]) => way !== undefined)
  const second = ways[1]?.[0]
  if (second !== undefined) {
    const found = ways.length === 2 ? 'both' : 'all'
    return [problem(['health', second], `expected one of ${ways.map(([way]) => way).join(' and ')}, found ${found}`)]
  }
  const asked = http !== undefined ? 'http' : tcp === 'gate' ? 'tcp' : undefined
  if (asked === undefined || services.some(service => service.listens)) return []
  return [problem(['health', asked], 'expected a service with `listens: true` to ask, found none')]
}

function stateFormat({ state }: Node): RecipeProblem[] {
  if (state === undefined || state.reads.includes(state.writes)) return []
  const found = `found ${state.reads.join(', ')}`
  return [
    problem(['state', 'reads'], `expected ${state.writes} among them, for a version reads what it writes, ${found}`),
  ]
}

function restore({ backup, restore: command }: Node): RecipeProblem[] {
  if (command === undefined || backup !== undefined) return []
  return [problem(['restore'], 'expected backup, which makes what is put back, found none')]
}

function problem(path: readonly (string | number)[], message: string): RecipeProblem {
  return { path: ['node', ...path], message }
}
