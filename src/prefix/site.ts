import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { namePattern } from '../core/name.ts'
import { parseJson } from '../sys/files.ts'

/** The places of a site: what its slots have in common. Pre: `root` is absolute. */
export function sitePaths(root: string) {
  const at = (...names: string[]) => path.join(root, ...names)
  return {
    root,
    /** Which slots there are, and who leads clients to them; see slots/document.ts. */
    slots: at('slots.json'),
    /** Which slot has which role: replaced in one step, and all that follows from a role is read from here. */
    roles: at('roles.json'),
    /** There while a switch is under way, or was interrupted. */
    progress: at('switch.json'),
    /** What an nginx in front looks at to lead clients. */
    routes: at('routes'),
    /** The folders of roles. */
    shared: at('shared'),
    lock: at('run', 'lock'),
  }
}

/** See {@link sitePaths}. */
export type SitePaths = ReturnType<typeof sitePaths>

/** The slot of each role. */
export type RoleSlots = Readonly<Record<string, string>>

/** Write which slot has which role, as it is stored. */
export function rolesText(roles: RoleSlots): string {
  return `${JSON.stringify({ schema: 1, roles }, undefined, 2)}\n`
}

/** Read which slot has which role. Post: each slot has one at most. Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. */
export function parseRoles(text: string, place: string): RoleSlots {
  const value = parseJson(text, place) as { readonly schema?: unknown; readonly roles?: unknown } | null
  if (typeof value?.schema === 'number' && value.schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${value.schema}, expected 1`, {
      details: { path: place },
    })
  }
  const problem = value?.schema === 1 ? rolesProblem(value.roles) : 'schema is not 1'
  if (problem === undefined) return value!.roles as RoleSlots
  throw new ReleaseError('DOCUMENT_INVALID', `${place} does not say which slot has which role: ${problem}`, {
    details: { path: place },
  })
}

/** Say why something cannot be the slots of roles, or undefined. Pure. */
export function rolesProblem(roles: unknown): string | undefined {
  if (typeof roles !== 'object' || roles === null || Array.isArray(roles)) return 'roles is not an object'
  const entries = Object.entries(roles)
  const unnamed = entries.find(([role, slot]) => !isName(role) || !isName(slot))
  if (unnamed !== undefined) return `${JSON.stringify(unnamed)} are not names`
  const slots = entries.map(([, slot]) => slot as string)
  const twice = slots.find((slot, index) => slots.indexOf(slot) < index)
  return twice === undefined ? undefined : `${twice} has two roles`
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && namePattern.test(value)
}
