import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { connectControl } from '../gate/control/client.ts'
import { controlSocket, type ServeStatus } from '../gate/control/protocol.ts'
import { builtFrom } from '../prefix/built-here.ts'
import { readIdentity } from '../prefix/identity.ts'
import { isComplete, readInstalledRecipe } from '../prefix/installed.ts'
import { readJournal } from '../prefix/journal.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import { pendingContracts } from '../prefix/plan.ts'
import { type InstalledRelease, type PrefixState, previousVersion, replay } from '../prefix/state.ts'
import { lockHolder } from '../sys/lock.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover status` tells; the `result` of its last event. */
export interface StatusResult {
  readonly prefix: string
  readonly application: string
  readonly environment: string
  readonly repository: string
  readonly active: string | undefined
  /** Where `cutover rollback` goes. */
  readonly previous: string | undefined
  readonly rollbackFloor: string | undefined
  /** A change that another process left, or has under way. */
  readonly unfinished:
    | {
        readonly command: string
        readonly version: string
        /** The process that is at work on it; undefined when it was interrupted. */
        readonly pid: number | undefined
      }
    | undefined
  readonly releases: readonly InstalledRelease[]
  /** Migrations of the active version that `cutover migrate --contract` is for. */
  readonly contracts: readonly string[]
  /** The commit that the active version was built from here; undefined for one that was published. */
  readonly builtFrom: string | undefined
  /** Undefined when nothing serves the prefix. */
  readonly serving: ServeStatus | undefined
}

/** Tell what is installed in a prefix and how it runs, without changing anything. Errors: PREFIX_UNKNOWN, JOURNAL_*, GATE_UNREACHABLE. */
export async function status(options: { readonly prefix: string }, tools: FlowTools): Promise<StatusResult> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  const { application, environment, repository } = readIdentity(paths)
  const state = replay(readJournal(paths.journal))
  const client = await connectControl(path.join(paths.root, controlSocket))
  const serving = client === undefined ? undefined : (await client.request({ kind: 'status' })).status
  const result: StatusResult = {
    prefix: paths.root,
    application,
    environment,
    repository,
    active: state.active,
    previous: previousVersion(state),
    rollbackFloor: state.rollbackFloor,
    unfinished: unfinished(paths, state),
    releases: [...state.releases.values()],
    contracts: contracts(paths, state),
    builtFrom: commitOf(paths, state),
    serving,
  }
  tellStatus(result, version => isComplete(paths, version), tools)
  const durationMs = tools.clock.elapsedMs() - startedMs
  const message = headline(result)
  tools.emit({ kind: 'run-done', command: 'status', changed: false, durationMs, message, result })
  return result
}

function contracts(paths: PrefixPaths, { active, migrations }: PrefixState): readonly string[] {
  if (active === undefined || !isComplete(paths, active)) return []
  try {
    return pendingContracts(active, readInstalledRecipe(paths, active).node.migrations, migrations)
  } catch (caught) {
    // A damaged recipe is what `verify` tells; the rest of the status is as good without it.
    if (caught instanceof ReleaseError) return []
    throw caught
  }
}

function commitOf(paths: PrefixPaths, { active, releases }: PrefixState): string | undefined {
  const release = active === undefined ? undefined : releases.get(active)
  return release === undefined ? undefined : builtFrom(paths, release)
}

function unfinished(paths: PrefixPaths, state: PrefixState): StatusResult['unfinished'] {
  if (state.unfinished === undefined) return undefined
  const { command, version } = state.unfinished
  return { command, version, pid: lockHolder(paths.lock)?.pid }
}

function tellStatus(result: StatusResult, isWhole: (version: string) => boolean, tools: FlowTools): void {
  tools.emit({
    kind: 'table',
    title: `${result.application} in ${result.prefix} (${result.environment})`,
    columns: ['version', 'status', 'files', 'installed'],
    rows: result.releases.map(({ version, status: life, installedAtMs }) => [
      version,
      version === result.previous ? `${life}, rollback goes here` : life,
      isWhole(version) ? 'complete' : 'not there',
      new Date(installedAtMs).toISOString(),
    ]),
  })
  if (result.contracts.length > 0) {
    const message = `${result.contracts.join(', ')} still to be run: cutover migrate --contract, once there is no way back needed`
    tools.emit({ kind: 'note', message })
  }
  const { serving } = result
  if (serving === undefined) return
  tools.emit({
    kind: 'table',
    title: `serving ${serving.address} (${serving.gateMode}, pid ${serving.pid}), gate ${serving.gate.mode}`,
    columns: ['service', 'state', 'pid', 'restarts', 'last end'],
    rows: [...serving.services, ...(serving.beside?.services ?? [])].map(service => [
      service.name,
      service.state,
      String(service.pid ?? ''),
      String(service.restarts),
      service.lastExit ?? '',
    ]),
  })
}

function headline({ application, active, builtFrom: commit, unfinished: left, serving }: StatusResult): string {
  const built = commit === undefined ? '' : ` (built here from ${commit.slice(0, 12)})`
  const what =
    active === undefined ? `no version of ${application} is active` : `${application} ${active} is active${built}`
  const how = serving === undefined ? 'nothing serves it' : `gate ${serving.gate.mode}`
  return `${what}, ${how}${left === undefined ? '' : `; ${leftText(left)}`}`
}

function leftText({ command, version, pid }: NonNullable<StatusResult['unfinished']>): string {
  if (pid !== undefined) return `${command} of ${version} is under way (pid ${pid})`
  return `${command} of ${version} was interrupted: run cutover recover`
}
