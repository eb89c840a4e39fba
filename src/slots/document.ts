import { stableJson } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import { namePattern } from '../core/name.ts'
import { parseJson } from '../sys/files.ts'

/** Who leads the clients of a role to its slot. Paths absolute. */
export type SiteRouter =
  | { readonly kind: 'haproxy'; readonly socket: string; readonly map: string }
  /** `check` writes its configuration out. */
  | { readonly kind: 'nginx'; readonly pidFile: string; readonly check: readonly string[] }

/** Which slots a site has, and who stands in front of them. Shape: `slots.json`; which slot has which role is in `roles.json`. */
export interface SiteDocument {
  readonly schema: 1
  /** What its server in front has of it begins with this: `NAME-SLOT`. */
  readonly name: string
  /** The prefix of each slot, absolute. */
  readonly slots: Readonly<Record<string, string>>
  /** The first is the one whose clients must not notice a switch. */
  readonly roles: readonly string[]
  readonly router: SiteRouter
  /** Where the server in front accepts plain HTTP: `HOST:PORT` or `unix:PATH`. A switch asks there as clients do. */
  readonly front?: string
}

/** Where clients of a role are led that has no slot for the moment: the server in front turns them away. */
export const nowhere = 'none'

/** Write what a site is, as it is stored. */
export function siteText(site: SiteDocument): string {
  return stableJson(site)
}

/** Read what a site is. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER, each with `place`. */
export function parseSite(text: string, place: string): SiteDocument {
  const value = parseJson(text, place)
  const members = isObject(value) ? value : {}
  if (typeof members['schema'] === 'number' && members['schema'] > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${members['schema']}, expected 1`, {
      details: { path: place },
    })
  }
  const problem = members['schema'] === 1 ? siteProblem(members) : 'schema is not 1'
  if (problem === undefined) return value as SiteDocument
  throw new ReleaseError('DOCUMENT_INVALID', `${place} does not say what a site is: ${problem}`, {
    details: { path: place },
  })
}

/** Say what is wrong with the members of a site, or undefined. Pure. */
export function siteProblem(members: Readonly<Record<string, unknown>>): string | undefined {
  const { name, slots, roles, router, front } = members
  if (!isName(name)) return 'name is not a name'
  if (!isObject(slots) || !Object.entries(slots).every(isSlot)) return 'slots is not a map of names to absolute folders'
  const folders = Object.values(slots)
  if (new Set(folders).size < folders.length) return 'two slots have the same folder'
  if (!Array.isArray(roles) || !roles.every(isName)) return 'roles is not a list of names'
  if (roles.length < 2 || new Set(roles).size < roles.length) return 'there are not two roles at least, each once'
  if (folders.length !== roles.length) return `there are ${folders.length} slots for ${roles.length} roles`
  if (front !== undefined && typeof front !== 'string') return 'front is not an address'
  return routerProblem(router)
}

function routerProblem(router: unknown): string | undefined {
  if (!isObject(router)) return 'router is not an object'
  const { kind, socket, map, pidFile, check } = router
  if (kind === 'haproxy') return isPath(socket) && isPath(map) ? undefined : 'router has no socket and map'
  if (kind !== 'nginx') return 'router is neither haproxy nor nginx'
  if (!isPath(pidFile)) return 'router has no pidFile'
  return Array.isArray(check) && check.every(word => typeof word === 'string') ? undefined : 'router has no check'
}

function isSlot([name, folder]: readonly [string, unknown]): boolean {
  return isName(name) && name !== nowhere && isPath(folder)
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && namePattern.test(value)
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('/') && !/[\0\n]/.test(value)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
