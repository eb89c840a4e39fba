import { ReleaseError } from '../core/error.ts'
import type { RepositoryChange } from '../repository/change.ts'
import type { KeyFolder } from '../repository/keys/folder.ts'
import { applicationsOf, type RepositoryView } from '../repository/state.ts'
import type { TargetWriter } from '../repository/target.ts'
import { type Authority, delegatedAuthority, rootAuthority } from '../repository/tuf/authority.ts'
import { expiryReport, type RoleExpiry } from '../repository/tuf/expiry.ts'
import { type RoleDates, readRole } from '../repository/tuf/state.ts'
import { eachInParallel } from '../sys/parallel.ts'
import { applicationRole, type ReleaseIndex } from '../trust/layout.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher, type PublisherOptions } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** Whose dates to renew. */
export interface RefreshOptions extends PublisherOptions {
  /** Only tell when what expires. */
  readonly checkOnly: boolean
}

/** When what expires, after the command. */
export interface RefreshResult {
  readonly renewed: readonly string[]
  readonly roles: readonly RoleExpiry[]
}

interface Renewal {
  readonly report: readonly RoleExpiry[]
  /** The roles that are signed anew; none when all dates are fresh. */
  readonly renewed: readonly string[]
  readonly change: RepositoryChange | undefined
}

const dayMs = 86_400_000
/** What is younger than this share of its lifetime is not worth a signature: cron may run as often as it likes. */
const freshShare = 0.1
/** What every publication signs. */
const renewedAlways = ['snapshot', 'timestamp']

/**
 * Renew the dates of a repository: timestamp and snapshot, apt's suites where they have a last day, and roles that are about to expire
 * where their keys are at hand.
 *
 * Post: nothing was written when all dates are fresh. Errors: METADATA_EXPIRING (something else is about to expire, or did), those of
 * publishing.
 */
export async function refreshRepository(options: RefreshOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const publisher = await openPublisher(options, await findClone(options, tools))
  const { target, keys } = publisher
  let renewal: Renewal | undefined
  const edit = async (view: RepositoryView) => {
    const report = await reportExpiry(view, target, tools)
    renewal = options.checkOnly
      ? { report, renewed: [], change: undefined }
      : await planRenewal(view, report, { keys, tools })
    return renewal.change
  }
  const { view } = await publishChange({ publisher, command: 'release refresh', edit }, tools)
  if (renewal === undefined) throw new Error('publishChange never asked what to change')
  const { renewed } = renewal
  const { lifetimesDays } = view.description
  const roles = renewal.report.map(row =>
    renewed.includes(row.role) ? renewedRow(row.role, lifetimeOf(row.role, lifetimesDays), tools.clock.nowMs()) : row,
  )
  tellExpiry(roles, tools)
  tools.emit({
    kind: 'run-done',
    command: 'refresh',
    changed: renewed.length > 0,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: renewed.length === 0 ? 'all dates are as they were' : `renewed ${renewed.join(', ')}`,
    result: { renewed, roles } satisfies RefreshResult,
  })
  assertNoneExpires(roles, options.checkOnly)
}

async function reportExpiry(
  view: RepositoryView,
  { parallelism }: TargetWriter,
  { clock, signal }: FlowTools,
): Promise<readonly RoleExpiry[]> {
  const applications = applicationsOf(view)
  const dates = new Map<string, RoleDates>()
  await eachInParallel(applications, { parallelism, stop: () => {} }, async application => {
    signal.throwIfAborted()
    const role = applicationRole(application)
    dates.set(role, await readRole(view.target, view.tuf, role))
  })
  const sorted = new Map([...dates].toSorted(([a], [b]) => (a < b ? -1 : 1)))
  return expiryReport(view.tuf, sorted, { nowMs: clock.nowMs(), lifetimesDays: view.description.lifetimesDays })
}

async function planRenewal(
  view: RepositoryView,
  report: readonly RoleExpiry[],
  { keys, tools }: { readonly keys: KeyFolder; readonly tools: FlowTools },
): Promise<Renewal> {
  const { tuf, description } = view
  const nowMs = tools.clock.nowMs()
  const isDue = ({ role, level }: RoleExpiry, authority: Authority | undefined) =>
    level !== 'ok' && authority !== undefined && canSign(keys, role, authority)
  const due = new Set(
    report
      .filter(row => {
        if (row.role === 'root' || renewedAlways.includes(row.role)) return false
        if (row.role === 'targets') return isDue(row, rootAuthority(tuf.root, 'targets'))
        return isDue(row, delegatedAuthority(tuf.targets.delegations, row.role))
      })
      .map(({ role }) => role),
  )
  const isAptDue = isSuiteAged(view, nowMs)
  const isAged = report.some(
    row =>
      renewedAlways.includes(row.role) && isPast(row.expiresMs, lifetimeOf(row.role, description.lifetimesDays), nowMs),
  )
  if (due.size === 0 && !isAptDue && !isAged) return { report, renewed: [], change: undefined }
  const indexes = new Map<string, ReleaseIndex>()
  for (const application of applicationsOf(view)) {
    if (due.has(applicationRole(application))) indexes.set(application, await view.index(application))
  }
  const change: RepositoryChange = {
    indexes,
    resign: isAptDue,
    ...(due.has('targets') ? { authority: { renewTargets: true } } : {}),
  }
  return { report, renewed: [...due, ...renewedAlways, ...(isAptDue ? ['apt'] : [])], change }
}

function canSign(keys: KeyFolder, role: string, authority: Authority): boolean {
  return keys.tuf(role).filter(({ keyId }) => authority.keys.has(keyId)).length >= authority.threshold
}

/** Whether apt's suites have a last day, and one of them has used up a share of its time. */
function isSuiteAged({ ledger, description }: RepositoryView, nowMs: number): boolean {
  const { validDays } = description.apt
  if (validDays === undefined) return false
  return Object.values(ledger.suites).some(({ dateMs }) => isPast(dateMs + validDays * dayMs, validDays, nowMs))
}

function isPast(expiresMs: number, lifetimeDays: number, nowMs: number): boolean {
  const lifetimeMs = lifetimeDays * dayMs
  return nowMs - (expiresMs - lifetimeMs) >= lifetimeMs * freshShare
}

function lifetimeOf(role: string, lifetimesDays: RepositoryView['description']['lifetimesDays']): number {
  return role === 'root' || role === 'targets' || role === 'snapshot' || role === 'timestamp'
    ? lifetimesDays[role]
    : lifetimesDays.application
}

function renewedRow(role: string, lifetimeDays: number, nowMs: number): RoleExpiry {
  return { role, expiresMs: nowMs + lifetimeDays * dayMs, daysLeft: lifetimeDays, level: 'ok' }
}

function tellExpiry(roles: readonly RoleExpiry[], { emit }: FlowTools): void {
  emit({
    kind: 'table',
    title: '',
    columns: ['Role', 'Expires', 'Days left', ''],
    rows: roles.map(({ role, expiresMs, daysLeft, level }) => [
      role,
      new Date(expiresMs).toISOString().slice(0, 10),
      String(daysLeft),
      level === 'ok' ? '' : level,
    ]),
  })
}

function assertNoneExpires(roles: readonly RoleExpiry[], checkOnly: boolean): void {
  const expiring = roles.filter(({ level }) => level !== 'ok')
  const [first] = expiring.toSorted((a, b) => a.expiresMs - b.expiresMs)
  if (first === undefined) return
  const isRenewable = checkOnly && expiring.every(({ role }) => renewedAlways.includes(role))
  const keyed = expiring.map(({ role }) => role).join(', ')
  throw new ReleaseError(
    'METADATA_EXPIRING',
    `${first.role} ${first.level === 'expired' ? 'expired' : 'expires'} on ${new Date(first.expiresMs).toISOString().slice(0, 10)}`,
    {
      hint: isRenewable
        ? 'run: release refresh'
        : `run \`release refresh\` where the keys of ${keyed} are; a root is renewed with \`release keys\``,
      details: { roles: expiring.map(({ role }) => role), expires: first.expiresMs },
    },
  )
}
