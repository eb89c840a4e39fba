import { ReleaseError } from '../core/error.ts'
import type { RepositoryChange } from '../repository/change.ts'
import type { KeyFolder } from '../repository/keys/folder.ts'
import { canSign } from '../repository/keys/signing.ts'
import { applicationsOf, type RepositoryView } from '../repository/state.ts'
import type { TargetWriter } from '../repository/target.ts'
import { type Authority, delegatedAuthority, rootAuthority } from '../repository/tuf/authority.ts'
import { expiryReport, type RoleExpiry } from '../repository/tuf/expiry.ts'
import { type RoleDates, readRole } from '../repository/tuf/state.ts'
import { eachInParallel } from '../sys/parallel.ts'
import { applicationRole, type ReleaseIndex, type RepositoryDescription } from '../trust/layout.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher, type PublisherOptions } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** Whose dates to renew. */
export interface RefreshOptions extends PublisherOptions {
  /** Only tell when what expires. */
  readonly checkOnly: boolean
}

/** When what expires, after the command. Besides the roles there is `apt`, where suites have a last day. */
export interface RefreshResult {
  readonly renewed: readonly string[]
  readonly roles: readonly RoleExpiry[]
}

const dayMs = 86_400_000
/** What is younger than this share of its lifetime is not worth a signature: cron may run as often as it likes. */
const freshShare = 0.1
/** Less than this is too little to find the owner of a key in. */
const urgentDays = 14
/** What is signed without being asked for by name: keys for these are where publications are made. */
const renewedByTime: ReadonlySet<string> = new Set(['snapshot', 'timestamp', 'apt'])

/**
 * Renew the dates of a repository: timestamp and snapshot, apt's suites where they have a last day, and roles that are in the last
 * third of their time where their keys are at hand.
 *
 * Post: nothing was written when all dates are fresh; a warning was told of what is in the last third of its time.
 * Errors: METADATA_EXPIRING (something has less than two weeks left, or none), those of publishing.
 */
export async function refreshRepository(options: RefreshOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const nowMs = tools.clock.nowMs()
  const publisher = await openPublisher(options, await findClone(options, tools))
  let report: readonly RoleExpiry[] = []
  let renewed: readonly string[] = []
  const edit = async (view: RepositoryView) => {
    report = await reportExpiry(view, publisher.target, tools)
    renewed = options.checkOnly ? [] : rolesToRenew(view, report, { keys: publisher.keys, nowMs })
    return renewed.length === 0 ? undefined : await renewal(view, renewed)
  }
  const { view } = await publishChange({ publisher, command: 'release refresh', edit }, tools)
  const { description } = view
  const roles = report.map(row => (renewed.includes(row.role) ? renewedRow(row, description, nowMs) : row))
  tellExpiry({ renewed, roles }, tools)
  assertNoneExpires(roles, { description, checkOnly: options.checkOnly }, tools)
  tools.emit({
    kind: 'run-done',
    command: 'refresh',
    changed: renewed.length > 0,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: renewed.length === 0 ? 'all dates are as they were' : `renewed ${renewed.join(', ')}`,
    result: { renewed, roles } satisfies RefreshResult,
  })
}

async function reportExpiry(
  view: RepositoryView,
  { parallelism }: TargetWriter,
  { clock, signal }: FlowTools,
): Promise<readonly RoleExpiry[]> {
  const applications = applicationsOf(view)
  const dates = new Map(applications.map(application => [applicationRole(application), noDates]))
  await eachInParallel([...dates.keys()], { parallelism, stop: () => {} }, async role => {
    signal.throwIfAborted()
    dates.set(role, await readRole(view.target, view.tuf, role))
  })
  const nowMs = clock.nowMs()
  const roles = expiryReport(view.tuf, dates, { nowMs, lifetimesDays: view.description.lifetimesDays })
  return [...roles, ...suiteExpiry(view, nowMs)]
}

const noDates: RoleDates = { version: 0, expiresMs: 0 }

/** The last day of the suite of apt that ends first; nothing where they have none. */
function suiteExpiry({ ledger, description }: RepositoryView, nowMs: number): readonly RoleExpiry[] {
  const { validDays } = description.apt
  const dates = Object.values(ledger.suites).map(({ dateMs }) => dateMs)
  if (validDays === undefined || dates.length === 0) return []
  const expiresMs = Math.min(...dates) + validDays * dayMs
  const left = (expiresMs - nowMs) / dayMs
  const level = left <= 0 ? 'expired' : left < validDays / 3 ? 'soon' : 'ok'
  return [{ role: 'apt', expiresMs, daysLeft: Math.floor(left), level }]
}

function rolesToRenew(
  { tuf, description }: RepositoryView,
  report: readonly RoleExpiry[],
  { keys, nowMs }: { readonly keys: KeyFolder; readonly nowMs: number },
): readonly string[] {
  const authorityOf = (role: string): Authority | undefined =>
    role === 'targets' ? rootAuthority(tuf.root, role) : delegatedAuthority(tuf.targets.delegations, role)
  const isDue = ({ role, expiresMs, level }: RoleExpiry): boolean => {
    if (role === 'root') return false
    if (renewedByTime.has(role)) return isAged(expiresMs, lifetimeDaysOf(role, description), nowMs)
    const authority = level === 'ok' ? undefined : authorityOf(role)
    return authority !== undefined && canSign(keys, authority)
  }
  const due = report.filter(isDue).map(({ role }) => role)
  const isNeeded = due.length > 0 || tuf.isRootAhead
  // Whatever is signed anew is named by these.
  return isNeeded ? [...new Set([...due, 'snapshot', 'timestamp'])] : []
}

async function renewal(view: RepositoryView, renewed: readonly string[]): Promise<RepositoryChange> {
  const indexes = new Map<string, ReleaseIndex>()
  for (const application of applicationsOf(view)) {
    if (renewed.includes(applicationRole(application))) indexes.set(application, await view.index(application))
  }
  const authority = renewed.includes('targets') ? { authority: { renewTargets: true } } : {}
  return { indexes, resign: renewed.includes('apt'), ...authority }
}

function isAged(expiresMs: number, lifetimeDays: number, nowMs: number): boolean {
  const lifetimeMs = lifetimeDays * dayMs
  return nowMs - (expiresMs - lifetimeMs) >= lifetimeMs * freshShare
}

function lifetimeDaysOf(role: string, { lifetimesDays, apt }: RepositoryDescription): number {
  if (role === 'apt') return apt.validDays ?? Number.POSITIVE_INFINITY
  return role === 'root' || role === 'targets' || role === 'snapshot' || role === 'timestamp'
    ? lifetimesDays[role]
    : lifetimesDays.application
}

function renewedRow({ role }: RoleExpiry, description: RepositoryDescription, nowMs: number): RoleExpiry {
  const daysLeft = lifetimeDaysOf(role, description)
  return { role, expiresMs: nowMs + daysLeft * dayMs, daysLeft, level: 'ok' }
}

function tellExpiry({ renewed, roles }: RefreshResult, { emit }: FlowTools): void {
  emit({
    kind: 'table',
    title: '',
    columns: ['Role', 'Expires', 'Days left', 'State'],
    rows: roles.map(({ role, expiresMs, daysLeft, level }) => [
      role,
      dateText(expiresMs),
      String(daysLeft),
      renewed.includes(role) ? 'renewed' : level,
    ]),
  })
}

/** Warns early, so that owners of keys can be found, and fails late, so that whoever is told by mail every night listens. */
function assertNoneExpires(
  roles: readonly RoleExpiry[],
  { description, checkOnly }: { readonly description: RepositoryDescription; readonly checkOnly: boolean },
  { emit }: FlowTools,
): void {
  const expiring = roles.filter(({ level }) => level !== 'ok').toSorted((a, b) => a.expiresMs - b.expiresMs)
  const isUrgent = ({ role, daysLeft }: RoleExpiry) =>
    daysLeft < Math.min(urgentDays, lifetimeDaysOf(role, description) / 3)
  for (const row of expiring.filter(each => !isUrgent(each))) {
    emit({ kind: 'warning', code: 'METADATA_EXPIRING', message: `${expiryText(row)}: sign it anew before` })
  }
  const urgent = expiring.filter(isUrgent)
  const [first] = urgent
  if (first === undefined) return
  const names = urgent.map(({ role }) => role)
  const isRenewable = checkOnly && names.every(role => renewedByTime.has(role))
  throw new ReleaseError('METADATA_EXPIRING', urgent.map(expiryText).join('; '), {
    hint: isRenewable
      ? 'run: release refresh'
      : `run \`release refresh\` where the keys of ${names.join(', ')} are; a root is renewed with \`release keys\``,
    details: { roles: names, expiresMs: first.expiresMs },
  })
}

function expiryText({ role, expiresMs, level }: RoleExpiry): string {
  return `${role} ${level === 'expired' ? 'expired' : 'expires'} on ${dateText(expiresMs)}`
}

const dateText = (timeMs: number) => new Date(timeMs).toISOString().slice(0, 10)
