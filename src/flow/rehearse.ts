import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Json } from '../core/canonical-json.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { done, type Outcome } from '../core/outcome.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { writeIdentity } from '../prefix/identity.ts'
import { type PrefixPaths, prefixPaths } from '../prefix/layout.ts'
import type { Recipe } from '../recipe/schema.ts'
import { makeFolder } from '../sys/files.ts'
import { install } from './install.ts'
import { logTails, type RehearsalServer, startServing } from './rehearsal-server.ts'
import { type Resolver, resolveFromFolder } from './resolve.ts'
import { rollback } from './rollback.ts'
import type { FlowTools } from './tools.ts'

export interface RehearsalOptions {
  /** An empty folder: the scratch prefix. */
  readonly prefix: string
  /** The folder of the release that is tried out. */
  readonly release: string
  /** Where earlier releases may be. */
  readonly dist: string
  readonly record: ReleaseRecord
  /** The release before it, which an upgrade is tried from when it is in `dist`. */
  readonly previous: string | undefined
  readonly recipe: Recipe
  /** The recipe's environment to try it in. */
  readonly environmentName: string
  /** The environment of whoever runs us. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** One thing that a server would do with the release. */
interface Act {
  readonly name: string
  readonly run: () => Promise<unknown>
}

/**
 * Try a release out as a server would have it: install, start, ask for its health; upgrade from the release before, roll back.
 *
 * Post: nothing of it runs any more, whatever happened. Errors: REHEARSAL_FAILED with what failed, its code, and the last lines of the
 * services. Crash: processes and the prefix stay; the next cut finds and ends them (cut-leftovers.ts).
 */
export async function rehearse(options: RehearsalOptions, tools: FlowTools): Promise<Outcome<string>> {
  const paths = prefixPaths(options.prefix)
  makeFolder(paths.root)
  writeIdentity(paths, {
    schema: 1,
    layout: 1,
    application: options.record.name,
    repository: pathToFileURL(options.dist).href,
    environment: options.environmentName,
    variables: options.recipe.rehearsal.variables,
  })
  const hasServices = options.recipe.node.services.length > 0
  const server = hasServices ? await startServing(paths, options.environment, tools.clock) : undefined
  const names: string[] = []
  try {
    const programme = acts(options, server, quiet(tools))
    for (const act of programme) {
      tools.signal.throwIfAborted()
      const [done, total] = [names.length, programme.length]
      tools.emit({ kind: 'progress', step: 'rehearse', what: act.name, unit: 'operations', done, total })
      await attempt(act, paths, tools)
      names.push(act.name)
    }
  } finally {
    await server?.end()
  }
  return done(names.join(', '))
}

function acts(options: RehearsalOptions, server: RehearsalServer | undefined, tools: FlowTools): readonly Act[] {
  const { prefix, dist, previous, release } = options
  const { version } = options.record
  const { watch } = options.recipe.rehearsal
  const resolving = (folder: string) => rehearsing(watch, resolveFromFolder(folder, tools.signal))
  const installing = (which: string, folder: string): Act => ({
    name: `install ${which}`,
    run: () => install({ prefix, version: which, resolve: resolving(folder) }, tools),
  })
  const healthy = (which: string): readonly Act[] =>
    server === undefined ? [] : [{ name: `health of ${which}`, run: () => server.assertHealthy(which) }]
  const fresh = [installing(version, release), ...healthy(version)]
  const before = previous === undefined ? undefined : path.join(dist, previous)
  if (previous === undefined || before === undefined || !fs.existsSync(path.join(before, 'release.json'))) return fresh
  const upgrade = [installing(previous, before), ...healthy(previous), ...fresh]
  const isOneWay = options.recipe.node.migrations.some(migration => migration.rollback === 'forward-only')
  if (isOneWay) return upgrade
  const back = { name: `roll back to ${previous}`, run: () => rollback({ prefix, to: previous }, tools) }
  return [...upgrade, back, ...healthy(previous)]
}

async function attempt(act: Act, paths: PrefixPaths, tools: FlowTools): Promise<void> {
  try {
    await act.run()
  } catch (caught) {
    tools.signal.throwIfAborted()
    const error = toReleaseError(caught)
    const logs = logTails(paths)
    throw new ReleaseError(
      'REHEARSAL_FAILED',
      [`${act.name} failed with ${error.code}: ${error.message}`, ...logs].join('\n'),
      {
        cause: error,
        details: { act: act.name, code: error.code },
      },
    )
  }
}

/** Have releases run in the way of a rehearsal; see {@link rehearsedRecipe}. */
function rehearsing(watchMs: number, resolver: Resolver): Resolver {
  return {
    newest: resolver.newest,
    release: async (application, version) => {
      const resolved = await resolver.release(application, version)
      const manifest = async () => {
        const found = await resolved.manifest()
        return { ...found, manifest: { ...found.manifest, recipe: rehearsedRecipe(found.manifest.recipe, watchMs) } }
      }
      return { ...resolved, manifest }
    },
  }
}

/**
 * Change a recipe, as written, to what can be tried here: run by us as whoever cuts, with secrets made up, for those of servers are kept from this
 * machine; without hooks, for they tell the world; without what only runs in a container, for images are not published yet; and watched for another time, for nobody waits for
 * clients, and each cut installs three times.
 */
function rehearsedRecipe(recipe: Json, watchMs: number): Json {
  const { node = {}, ...rest } = recipe as { readonly node?: WrittenNode }
  const { user: _user, group: _group, driver: _driver, hooks: _hooks, ...others } = node
  const { secrets, services, health } = node
  const madeUp = secrets?.map(({ command: _command, age: _age, ...secret }) => secret)
  const here = services?.filter(({ command }) => command !== undefined && command.length > 0)
  const isReachable = services?.length === here?.length || here?.some(({ listens }) => listens === true)
  return {
    ...rest,
    node: {
      ...others,
      ...(madeUp === undefined ? {} : { secrets: madeUp }),
      ...(here === undefined ? {} : { services: here }),
      health: { ...(isReachable ? health : {}), watch: `${watchMs}ms` },
    },
  } as Json
}

interface WrittenNode {
  readonly user?: string
  readonly group?: string
  readonly driver?: string
  readonly hooks?: readonly object[]
  readonly services?: readonly { readonly command?: readonly string[]; readonly listens?: boolean }[]
  readonly secrets?: readonly { readonly command?: object; readonly age?: string }[]
  readonly health?: object
}

/** Let through what the application says; the steps of installations belong to the rehearsal's own. */
function quiet(tools: FlowTools): FlowTools {
  return {
    ...tools,
    emit: event => {
      if (event.kind === 'output') tools.emit({ ...event, step: 'rehearse' })
    },
  }
}
