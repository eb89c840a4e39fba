import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { runSteps, type Step } from '../core/step.ts'
import { parseVersion } from '../core/version.ts'
import type { TreeDifference } from '../payload/tree-difference.ts'
import { builtFrom } from '../prefix/built-here.ts'
import { type PrefixIdentity, readIdentity } from '../prefix/identity.ts'
import { readJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { isUsable, type PrefixState, replay } from '../prefix/state.ts'
import { checkPrefix } from '../prefix/verify-prefix.ts'
import { type CheckedRelease, checkRelease } from '../prefix/verify-release.ts'
import { lockPrefix } from './locked-prefix.ts'
import { chooseResolver } from './prefix-resolver.ts'
import { recoverPrefix } from './recover.ts'
import { isWhole, openRepair, type Repair, type RepairReport } from './repair.ts'
import type { Resolver } from './resolve.ts'
import type { FlowTools } from './tools.ts'
import { differencesText, type ReleaseVerification, tellVerified, type VerifyResult } from './verify-report.ts'

/** What `cutover verify` is asked for. */
export interface VerifyInstalledOptions {
  readonly prefix: string
  /** The active version when absent. */
  readonly version?: string | undefined
  /** Every release that is installed. */
  readonly all?: boolean | undefined
  /** Do not ask the repository. */
  readonly offline?: boolean | undefined
  /** Put back what differs, as far as it was signed. */
  readonly repair?: boolean | undefined
  /** With `repair`: also take away what nobody put there. */
  readonly removeExtra?: boolean | undefined
  readonly waitLockMs?: number | undefined
  /** How many differences are listed; all of them when absent. */
  readonly listed?: number | undefined
  /** What is asked instead of the repository of the prefix. */
  readonly resolve?: Resolver | undefined
}

interface VerifyRun {
  readonly options: VerifyInstalledOptions
  readonly tools: FlowTools
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly installed: PrefixState
  readonly resolver: Resolver
  readonly versions: readonly string[]
  /** Undefined when nothing is to be changed. */
  readonly repair: Repair | undefined
  readonly ownerId: number
  readonly releases: ReleaseVerification[]
  prefixDifferences: readonly TreeDifference[]
}

/**
 * Check installed releases: their records against the journal and the signed metadata, their manifests against the records, every file
 * against the manifests, and what is around them; and mend what differs, where that is asked for.
 *
 * Errors: VERIFY_FAILED with what differs, VERIFY_NONE (no such version), PREFIX_UNKNOWN, TRUST_*; for a repair also those of taking the
 * lock and of a recovery, and those of fetching. Crash: a repair that is killed leaves each file as it was or as it is to be.
 */
export async function verify(options: VerifyInstalledOptions, tools: FlowTools): Promise<VerifyResult> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  const identity = readIdentity(paths)
  const onStale = ({ code, message }: ReleaseError) => tools.emit({ kind: 'warning', code, message })
  const { offline } = options
  const resolver = options.resolve ?? chooseResolver({ paths, identity, offline, onStale }, tools)
  const opened = { options, paths, identity, resolver }
  if (options.repair !== true) return await verifyPrefix({ ...opened, repair: undefined }, tools, startedMs)
  const lock = { prefix: paths.root, command: 'verify --repair', waitLockMs: options.waitLockMs ?? 0 }
  await using prefix = await lockPrefix(lock, tools)
  await recoverPrefix(prefix, tools)
  const repair = openRepair(prefix, { ...options, resolver }, tools)
  return await verifyPrefix({ ...opened, repair }, tools, startedMs)
}

type OpenedVerify = Pick<VerifyRun, 'options' | 'paths' | 'identity' | 'resolver' | 'repair'>

async function verifyPrefix(opened: OpenedVerify, tools: FlowTools, startedMs: number): Promise<VerifyResult> {
  const run = beginVerify(opened, tools)
  const steps = stepsFor(run.versions)
  const subject = `${run.identity.application} ${run.versions.join(', ')}`
  tools.emit({ kind: 'run-started', command: 'verify', subject, steps: steps.map(step => step.name) })
  await runSteps(steps, run, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  return tellVerified({ ...run, subject, startedMs, listed: opened.options.listed }, tools)
}

function stepsFor(versions: readonly string[]): readonly Step<VerifyRun, unknown>[] {
  const stepName = (version: string) => (versions.length === 1 ? 'files' : `files ${version}`)
  return [
    { name: 'repository', required: false, run: checkRepository },
    ...versions.map(version => {
      const name = stepName(version)
      return { name, required: true, run: (run: VerifyRun) => checkFiles(run, version, name) }
    }),
    { name: 'prefix', required: true, run: checkSurroundings },
  ]
}

function beginVerify(opened: OpenedVerify, tools: FlowTools): VerifyRun {
  const { paths, options } = opened
  const installed = replay(readJournal(paths.journal))
  const known = [...installed.releases.keys()].filter(each => isUsable(installed, each))
  const wanted = options.version === undefined ? installed.active : parseVersion(options.version)
  const versions = options.all === true ? known : known.filter(each => each === wanted)
  if (versions.length === 0) {
    throw new ReleaseError('VERIFY_NONE', `${paths.root} has no ${wanted ?? 'active version'} to verify`, {
      hint: known.length === 0 ? 'install a version first' : `choose one of ${known.join(', ')}`,
      details: { version: wanted, known },
    })
  }
  const ownerId = fs.statSync(paths.root).uid
  return { ...opened, tools, installed, versions, ownerId, releases: [], prefixDifferences: [] }
}

/** The repository goes on saying what was signed, and may have learnt since that another record is the right one. */
async function checkRepository(run: VerifyRun): Promise<Outcome<string>> {
  if (run.options.offline === true) return skipped('OFFLINE', 'not asked, by --offline')
  const warn = (code: string, message: string) => run.tools.emit({ kind: 'warning', code, message })
  const { application, repository } = run.identity
  let signed = 0
  for (const version of run.versions) {
    const commit = builtFrom(run.paths, run.installed.releases.get(version)!)
    if (commit !== undefined) {
      run.tools.emit({ kind: 'note', message: `${version} was built here from ${commit}: nobody has signed it` })
      continue
    }
    try {
      assertSigned(run, version, (await run.resolver.release(application, version)).recordDigest)
      signed += 1
    } catch (caught) {
      if (!(caught instanceof ReleaseError)) throw caught
      const { code, message } = caught
      if (code === 'HTTP_FAILED') {
        warn(code, `the signature was not checked: ${message}`)
        return skipped('HTTP_FAILED', 'the repository does not answer')
      }
      if (code !== 'RELEASE_UNKNOWN') throw caught
      warn(code, `${repository} does not list ${application} ${version} any more`)
    }
  }
  return done(`${signed} of ${run.versions.length} signed by ${repository}`)
}

function assertSigned({ identity, installed }: VerifyRun, version: string, found: string): void {
  const expected = installed.releases.get(version)!.recordDigest
  if (found === expected) return
  const message = `${identity.repository} has the record ${found} of ${identity.application} ${version}, expected ${expected} as it was installed`
  throw new ReleaseError('RELEASE_CHANGED', message, {
    hint: 'find out who published the version again; install another one',
    details: { version, found, expected },
  })
}

async function checkFiles(run: VerifyRun, version: string, step: string): Promise<Outcome<string>> {
  const { recordDigest } = run.installed.releases.get(version)!
  const { emit, signal } = run.tools
  const check = () =>
    checkRelease(run.paths, {
      version,
      recordDigest,
      ownerId: run.ownerId,
      signal,
      onProgress: (doneFiles, total) =>
        emit({ kind: 'progress', step, what: 'files', unit: 'files', done: doneFiles, total }),
    })
  const found = await check()
  const report = run.repair === undefined || isWhole(found) ? undefined : await run.repair.mend(found, check)
  const checked = report === undefined ? found : await check()
  run.releases.push({ checked, report })
  return done(summaryOf(checked, report))
}

function summaryOf(checked: CheckedRelease, report: RepairReport | undefined): string {
  const found = differencesText(checked.differences.length)
  const entries = `${found === '' ? '' : `${found} in `}${checked.entries} files and folders`
  if (report === undefined) return entries
  return `${entries}; ${report.mended.length} mended, ${formatBytes(report.fetchedBytes)} fetched`
}

function checkSurroundings(run: VerifyRun): Outcome<string> {
  run.prefixDifferences = checkPrefix(run.paths, run.installed, run.ownerId)
  return done(differencesText(run.prefixDifferences.length) || 'as it is to be')
}
