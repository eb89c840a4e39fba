import { readAptKeys } from '../repository/keys/apt-keys.ts'
import type { KeyFolder } from '../repository/keys/folder.ts'
import type { RepositoryView } from '../repository/state.ts'
import { topLevelRoles } from '../repository/tuf/authority.ts'
import { expiryReport, type RoleExpiry } from '../repository/tuf/expiry.ts'
import { applicationOf, isTopLevel, signatoriesOf } from '../repository/tuf/key-change.ts'
import { keyIdOf } from '../repository/tuf/signer.ts'
import { type RoleDates, readRole } from '../repository/tuf/state.ts'
import { findClone, openPublisher, type PublisherOptions, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** A role with its keys, as the list shows it. */
export interface ListedRole {
  /** One of TUF's four, the name of an application, or `apt`. */
  readonly role: string
  readonly threshold: number
  readonly keys: readonly ListedKey[]
  /** Milliseconds since 1970; absent for apt, and for what was never signed. */
  readonly expiresMs?: number
  readonly level?: RoleExpiry['level']
}

/** A key that is trusted. */
export interface ListedKey {
  /** The key id, or the fingerprint of an OpenPGP key. */
  readonly id: string
  /** The file or variable that holds the private half; absent when it is elsewhere. */
  readonly place?: string
  readonly encrypted: boolean
}

/** List who signs for what: keys, thresholds, dates, and which keys are at hand. Errors: those of opening a repository. */
export async function listKeys(options: PublisherOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const publisher = await openPublisher(options, await findClone(options, tools))
  const view = await viewOf(publisher)
  const expiries = await expiriesOf(view, tools)
  const names = [...topLevelRoles, ...view.tuf.targets.delegations.roles.map(({ name }) => name)]
  const roles = [
    ...names.map(role => listedRole(view, role, { keys: publisher.keys, expiry: expiries.get(role) })),
    await listedApt(view, publisher.keys),
  ]
  tools.emit({
    kind: 'table',
    title: `Keys of ${view.description.name}`,
    columns: ['Role', 'Must sign', 'Key', 'At hand', 'Expires', ''],
    rows: roles.flatMap(rowsOf),
  })
  const expiring = roles.filter(({ level }) => level !== undefined && level !== 'ok').map(({ role }) => role)
  tools.emit({
    kind: 'run-done',
    command: 'keys list',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: expiring.length === 0 ? 'nothing expires soon' : `soon to be renewed: ${expiring.join(', ')}`,
    result: { roles },
  })
}

async function expiriesOf(view: RepositoryView, tools: FlowTools): Promise<ReadonlyMap<string, RoleExpiry>> {
  const roles = new Map<string, RoleDates>()
  for (const { name } of view.tuf.targets.delegations.roles) {
    tools.signal.throwIfAborted()
    roles.set(name, await readRole(view.target, view.tuf, name))
  }
  const { lifetimesDays } = view.description
  const report = expiryReport(view.tuf, roles, { nowMs: tools.clock.nowMs(), lifetimesDays })
  return new Map(report.map(row => [row.role, row]))
}

function listedRole(
  { tuf }: RepositoryView,
  role: string,
  { keys, expiry }: { readonly keys: KeyFolder; readonly expiry: RoleExpiry | undefined },
): ListedRole {
  const { publicKeys, threshold } = signatoriesOf(tuf, role)
  const atHand = new Map(keys.tuf(role).map(key => [key.keyId, key]))
  const listed = publicKeys.map(keyIdOf).map((id): ListedKey => {
    const key = atHand.get(id)
    return key === undefined ? { id, encrypted: false } : { id, place: key.place, encrypted: key.encrypted }
  })
  const name = isTopLevel(role) ? role : applicationOf(role)
  const dates = expiry === undefined ? {} : { expiresMs: expiry.expiresMs, level: expiry.level }
  return { role: name, threshold, keys: listed, ...dates }
}

async function listedApt({ description }: RepositoryView, keys: KeyFolder): Promise<ListedRole> {
  const atHand = new Map(keys.aptPlaces().map(({ fingerprint, ...key }) => [fingerprint, key]))
  const trusted = await readAptKeys(description.aptKey)
  return {
    role: 'apt',
    threshold: 1,
    keys: trusted.map(({ fingerprint: id }) => ({ id, encrypted: false, ...atHand.get(id) })),
  }
}

function rowsOf({ role, threshold, keys, expiresMs, level }: ListedRole): readonly (readonly string[])[] {
  return keys.map(({ id, place, encrypted }, at) => [
    at === 0 ? role : '',
    at === 0 ? `${threshold} of ${keys.length}` : '',
    id.slice(0, 16),
    place === undefined ? 'no' : `${place}${encrypted ? ', encrypted' : ''}`,
    at === 0 && expiresMs !== undefined ? new Date(expiresMs).toISOString().slice(0, 10) : '',
    at === 0 && level !== undefined && level !== 'ok' ? level : '',
  ])
}
