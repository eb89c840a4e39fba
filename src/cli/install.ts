import path from 'node:path'
import { Command, Option } from 'commander'
import { ReleaseError } from '../core/error.ts'
import { type MaintenanceWindow, parseWindow } from '../core/maintenance-window.ts'
import type { AskedCanary } from '../flow/overlap.ts'
import type { Io } from './io.ts'
import { durationMs, type PrefixOptions, prefixFolder, waitLockMs, withLock } from './prefix-options.ts'
import { runCommand } from './run.ts'

interface Options extends PrefixOptions {
  readonly version?: string
  readonly channel?: string
  readonly from?: string
  readonly rev?: string
  readonly source?: string
  readonly recipe?: string
  readonly dryRun?: boolean
  readonly allowDowngrade?: boolean
  readonly retry?: boolean
  readonly offline?: boolean
  readonly splay?: string
  readonly notBefore?: string
  readonly notAfter?: string
  readonly changedExitCode?: string
  /** False for `--no-canary`. */
  readonly canary?: string | false
  readonly canaryFor?: string
}

/** `cutover install`: install a version and switch to it. */
export function installCommand(io: Io): Command {
  const command = withLock(new Command('install'))
    .description('Install a version and switch to it, holding requests meanwhile; go back when it is not healthy.')
    .option('--version <version>', 'the version; the newest that has not failed here when absent')
    .option('--channel <name>', 'take the newest that this channel offers; the most stable one when absent')
    .addOption(
      new Option('--from <file>', 'take releases from an offline bundle that `release bundle` made').conflicts(
        'offline',
      ),
    )
    .addOption(
      new Option(
        '--rev <revision>',
        'build this commit, branch or tag on this server, and install what comes of it',
      ).conflicts(['version', 'channel', 'from', 'offline']),
    )
    .option('--source <address>', 'the git repository of --rev; that of `cutover settings source=ADDRESS` when absent')
    .option(
      '--recipe <path>',
      'a recipe for --rev outside of the git repository: its file, or the folder that holds it',
    )
    .option('--dry-run', 'tell what would be done: what is fetched, which operations, what clients notice')
    .option('--allow-downgrade', 'take a version that is older than the active one')
    .option('--retry', 'take a version that failed here before')
    .option('--offline', 'ask nobody: only what is on this machine counts')
    .option('--splay <duration>', 'wait at random up to so long first, so that not all servers ask at once')
    .option('--not-before <time>', 'do nothing earlier: HH:MM of every day, or a moment such as 2026-11-21T02:00:00Z')
    .option('--not-after <time>', 'do nothing later, nor switch later; as --not-before')
    .option(
      '--canary <share>',
      'where two versions may run at once, send this share of the clients to the new one first, such as 10% or 0.1; with 0 only those whose cookie asks for it',
    )
    .option('--canary-for <duration>', 'for how long; as the recipe says when absent')
    .option('--no-canary', 'send all clients to the new version as soon as it is healthy')
    .option('--changed-exit-code <code>', 'the exit code when something was changed, for configuration management', '0')
  return command.action(async () => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCommand(io, 'install', options, async tools => {
      const changedExitCode = parseExitCode(options.changedExitCode)
      const { version, channel, from, rev, dryRun, allowDowngrade, retry, offline } = options
      const how = {
        prefix: prefixFolder(options, io),
        dryRun,
        allowDowngrade,
        retry,
        splayMs: durationMs('--splay', options.splay),
        window: maintenanceWindow(options),
        waitLockMs: waitLockMs(options),
        canary: askedCanary(options),
      }
      const absolute = (place: string | undefined) => (place === undefined ? undefined : path.resolve(io.cwd, place))
      if (rev !== undefined) {
        const { installRevision } = await import('../flow/install-revision.ts')
        const cutover = [process.execPath, process.argv[1]!] as const
        const { source, recipe } = options
        const what = { revision: rev, source, recipe: absolute(recipe), cutover, environment: io.environment }
        return (await installRevision({ ...how, ...what }, tools)).changed ? changedExitCode : 0
      }
      const { install } = await import('../flow/install.ts')
      const { changed } = await install({ ...how, version, channel, from: absolute(from), offline }, tools)
      return changed ? changedExitCode : 0
    })
  })
}

function askedCanary({ canary, canaryFor }: Options): AskedCanary | undefined {
  if (canary === false) return 'none'
  const share = canary === undefined ? undefined : parseShare(canary)
  const forMs = durationMs('--canary-for', canaryFor)
  return { ...(share === undefined ? {} : { share }), ...(forMs === undefined ? {} : { forMs }) }
}

function parseShare(text: string): number {
  const [, number, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? []
  const share = Number(number) / (percent === '%' ? 100 : 1)
  if (share >= 0 && share <= 1) return share
  throw new ReleaseError('USAGE', `--canary ${text} is not a share of the clients`, {
    hint: 'write it as 10% or 0.1',
  })
}

function maintenanceWindow({ notBefore, notAfter }: Options): MaintenanceWindow | undefined {
  if (notBefore === undefined && notAfter === undefined) return undefined
  const window = parseWindow(notBefore, notAfter)
  if (window !== undefined) return window
  const given = [notBefore, notAfter].filter(text => text !== undefined).join(' and ')
  throw new ReleaseError('USAGE', `--not-before and --not-after: ${given} are no maintenance window`, {
    hint: 'write both as 02:00 and 04:30, or both as moments such as 2026-11-21T02:00:00Z, the earlier one first',
  })
}

function parseExitCode(text: string | undefined): number {
  const code = Number(text ?? '0')
  if (Number.isInteger(code) && code >= 0 && code <= 125 && (code === 0 || code > 5)) return code
  throw new ReleaseError('USAGE', `--changed-exit-code ${text} would be taken for something else`, {
    hint: 'choose one from 6 to 125: the lower ones tell what failed',
  })
}
