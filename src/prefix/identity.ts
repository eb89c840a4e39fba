import { stableJson } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import { namePattern } from '../core/name.ts'
import type { GateKind } from '../recipe/schema.ts'
import { parseJson, readTextIfExists, writeFileAtomic } from '../sys/files.ts'
import type { PrefixPaths } from './layout.ts'
import { type PrefixSettings, settingsProblem } from './settings.ts'

/** What a prefix is for. Shape: `prefix.json`, written once by `cutover init`. */
export interface PrefixIdentity {
  readonly schema: 1
  /** The version of the layout below the prefix; see prefix/layout.ts. */
  readonly layout: 1
  readonly application: string
  /** The address of the vendor repository: `http:`, `https:` or `file:`. */
  readonly repository: string
  /** The recipe's environment whose variables are used. */
  readonly environment: string
  /** Replaces the recipe's `gate.mode`. */
  readonly gateMode?: GateKind
  /** Replaces variables of the environment, such as PORT. */
  readonly variables: Readonly<Record<string, string>>
  readonly settings?: PrefixSettings
  /** The slot of a site that the prefix is; which role it has is the site's to say. */
  readonly slot?: { readonly site: string; readonly name: string }
}

/** Read what a prefix is for. Errors: PREFIX_UNKNOWN (no prefix there), DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function readIdentity(paths: PrefixPaths): PrefixIdentity {
  const identity = readIdentityIfExists(paths)
  if (identity === undefined) {
    throw new ReleaseError('PREFIX_UNKNOWN', `${paths.root} is not a prefix: ${paths.identity} does not exist`, {
      hint: `run cutover init ${paths.root} --repository URL --application NAME`,
      details: { path: paths.root },
    })
  }
  return identity
}

/** Read what a prefix is for, or undefined when nothing is there yet. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function readIdentityIfExists(paths: PrefixPaths): PrefixIdentity | undefined {
  const text = readTextIfExists(paths.identity)
  return text === undefined ? undefined : parseIdentity(text, paths.identity)
}

/** Write what a prefix is for. Post: durable. */
export function writeIdentity(paths: PrefixPaths, identity: PrefixIdentity): void {
  writeFileAtomic(paths.identity, stableJson(identity))
}

/** Read an identity that is stored at `place`. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function parseIdentity(text: string, place: string): PrefixIdentity {
  const value = parseJson(text, place)
  const members = isObject(value) ? value : {}
  for (const key of ['schema', 'layout'] as const) {
    if (typeof members[key] === 'number' && members[key] > 1) {
      throw new ReleaseError('DOCUMENT_NEWER', `${place} has ${key} ${members[key]}, expected 1`, {
        details: { path: place },
      })
    }
    if (members[key] !== 1) throw invalid(place, `${key} is not 1`)
  }
  for (const key of ['application', 'repository', 'environment'] as const) {
    if (typeof members[key] !== 'string' || members[key] === '') throw invalid(place, `${key} is not text`)
  }
  if (![undefined, 'proxy', 'handover', 'haproxy', 'nginx'].includes(members['gateMode'] as string | undefined)) {
    throw invalid(place, 'gateMode is not proxy, handover, haproxy or nginx')
  }
  const variables = members['variables']
  if (!isObject(variables) || Object.values(variables).some(text => typeof text !== 'string')) {
    throw invalid(place, 'variables is not a map of texts')
  }
  const problem = members['settings'] === undefined ? undefined : settingsProblem(members['settings'])
  if (problem !== undefined) throw invalid(place, problem)
  const slot = members['slot']
  if (slot !== undefined && !isSlot(slot)) throw invalid(place, 'slot is not the slot of a site')
  return value as PrefixIdentity
}

function isSlot(value: unknown): boolean {
  if (!isObject(value)) return false
  const { site, name } = value
  return typeof site === 'string' && site.startsWith('/') && typeof name === 'string' && namePattern.test(name)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(place: string, why: string): ReleaseError {
  return new ReleaseError('DOCUMENT_INVALID', `${place} is not the identity of a prefix: ${why}`, {
    details: { path: place },
  })
}
