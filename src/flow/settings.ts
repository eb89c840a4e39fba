import path from 'node:path'
import { parsePlace } from '../mirror/place.ts'
import { type PrefixIdentity, readIdentity, writeIdentity } from '../prefix/identity.ts'
import { prefixPaths } from '../prefix/layout.ts'
import { changeSettings, settingEntries, settingForms, showSetting } from '../prefix/settings.ts'
import { takeLock } from '../sys/lock.ts'
import type { FlowTools } from './tools.ts'

/** What `cutover settings` is asked for. */
export interface SettingsOptions {
  readonly prefix: string
  /** Names and values; names in upper case are variables of the environment, an empty value takes one away. */
  readonly changes: readonly (readonly [string, string])[]
  readonly waitLockMs: number
}

/**
 * List what the operator decided for a prefix, after changing some of it.
 *
 * Post: what is changed counts from the next command on; services learn of variables when they are started again.
 * Errors: PREFIX_UNKNOWN, USAGE, MIRROR_INVALID (nothing was changed then), LOCKED, FILE_IO. Crash: all of the changes or none.
 */
export async function settings(options: SettingsOptions, tools: FlowTools): Promise<PrefixIdentity> {
  const startedMs = tools.clock.elapsedMs()
  const paths = prefixPaths(path.resolve(options.prefix))
  const before = readIdentity(paths)
  const after = options.changes.length === 0 ? before : await change(options, paths)
  const changed = JSON.stringify(before) !== JSON.stringify(after)
  tellSettings(after, paths.root, tools)
  const durationMs = tools.clock.elapsedMs() - startedMs
  const message = changed ? 'the settings are changed' : 'nothing was changed'
  tools.emit({ kind: 'run-done', command: 'settings', changed, durationMs, message, result: after })
  return after
}

async function change(
  { changes, waitLockMs }: SettingsOptions,
  paths: ReturnType<typeof prefixPaths>,
): Promise<PrefixIdentity> {
  using _lock = await takeLock(paths.lock, { command: 'settings', waitMs: waitLockMs })
  const before = readIdentity(paths)
  const after = changeIdentity(before, changes)
  // Told now rather than by the next installation.
  for (const mirror of after.settings?.mirrors ?? []) parsePlace(mirror)
  if (JSON.stringify(before) !== JSON.stringify(after)) writeIdentity(paths, after)
  return after
}

/** Change variables and settings of an identity. Pure. Errors: USAGE. */
export function changeIdentity(
  identity: PrefixIdentity,
  changes: readonly (readonly [string, string])[],
): PrefixIdentity {
  const isVariable = ([name]: readonly [string, string]) => /^[A-Z_][A-Z0-9_]*$/.test(name)
  const variables = { ...identity.variables }
  for (const [name, value] of changes.filter(isVariable)) {
    if (value === '') delete variables[name]
    else variables[name] = value
  }
  const { settings: before = {}, ...rest } = identity
  const after = changeSettings(
    before,
    changes.filter(each => !isVariable(each)),
  )
  return {
    ...rest,
    ...(Object.keys(after).length === 0 ? {} : { settings: after }),
    variables: Object.fromEntries(Object.entries(variables).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

function tellSettings(identity: PrefixIdentity, root: string, tools: FlowTools): void {
  const made = new Map(settingEntries(identity.settings ?? {}))
  tools.emit({
    kind: 'table',
    title: `${identity.application} in ${root} (${identity.environment})`,
    columns: ['setting', 'value', 'what it is'],
    rows: [
      ...Object.entries(identity.variables).map(([name, value]) => [name, value, 'a variable of the environment']),
      ...settingForms.map(form => {
        const value = made.get(form.name)
        return [form.name, value === undefined ? '' : showSetting(form, value), form.meaning]
      }),
    ],
  })
}
