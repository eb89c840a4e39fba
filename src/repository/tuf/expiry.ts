import type { LifetimesDays } from '../../trust/layout.ts'
import type { RoleDates, TufState } from './state.ts'

const dayMs = 86_400_000

/** A year for what is signed by hand, a month for what every publication renews. */
export const defaultLifetimesDays: LifetimesDays = {
  root: 365,
  targets: 365,
  application: 365,
  snapshot: 30,
  timestamp: 30,
}

/** When a role's metadata ends to be believed. */
export interface RoleExpiry {
  readonly role: string
  /** Milliseconds since 1970. */
  readonly expiresMs: number
  /** Whole days, rounded down; negative when it is past. */
  readonly daysLeft: number
  readonly level: 'ok' | 'soon' | 'expired'
}

/** The time at which metadata made now expires, as TUF writes it. Source: TUF §4.2.1 (whole seconds, UTC). */
export function expiresAt(role: keyof LifetimesDays, { nowMs, lifetimesDays }: Clocked): string {
  return `${new Date(nowMs + lifetimesDays[role] * dayMs).toISOString().slice(0, 19)}Z`
}

/** The time of a signature and how long it counts. */
export interface Clocked {
  readonly nowMs: number
  readonly lifetimesDays: LifetimesDays
}

/**
 * Tell when each role expires: the four top-level ones, then `roles`, those of applications.
 *
 * `soon` is less than a third of the lifetime, or less than 14 days of a lifetime of at least 28.
 */
export function expiryReport(
  state: TufState,
  roles: ReadonlyMap<string, RoleDates>,
  { nowMs, lifetimesDays }: Clocked,
): readonly RoleExpiry[] {
  const rows: RoleExpiry[] = [
    roleExpiry('root', Date.parse(state.root.signed.expires), lifetimesDays.root, nowMs),
    ...(['targets', 'snapshot', 'timestamp'] as const)
      .filter(role => state[role].version > 0)
      .map(role => roleExpiry(role, state[role].expiresMs, lifetimesDays[role], nowMs)),
  ]
  for (const [role, { version, expiresMs }] of roles) {
    if (version > 0) rows.push(roleExpiry(role, expiresMs, lifetimesDays.application, nowMs))
  }
  return rows
}

function roleExpiry(role: string, expiresMs: number, lifetimeDays: number, nowMs: number): RoleExpiry {
  const left = (expiresMs - nowMs) / dayMs
  const isSoon = left < lifetimeDays / 3 || (lifetimeDays >= 28 && left < 14)
  return { role, expiresMs, daysLeft: Math.floor(left), level: left <= 0 ? 'expired' : isSoon ? 'soon' : 'ok' }
}
