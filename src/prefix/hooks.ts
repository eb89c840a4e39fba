import fs from 'node:fs'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import { runNodeCommand } from './command.ts'
import { commandContext } from './configure.ts'
import type { FileChange } from './file-change.ts'
import type { ChangeCommand } from './journal-record.ts'
import { releasePaths } from './layout.ts'

/** A hook of a recipe. */
type Hook = InstalledRecipe['node']['hooks'][number]

/** Where in a change hooks are run. */
export interface HookPlace {
  readonly when: Hook['when']
  readonly phase: Hook['phase']
  /** What the change has come to: `done` behind a phase, at a rollback the code of the error that led to it. */
  readonly outcome?: string | undefined
}

/** Phases in which there is no release yet, or not any more. */
const outsideRelease = (place: HookPlace) =>
  place.phase === 'stage' || (place.phase === 'fetch' && place.when === 'before') || place.phase === 'rollback'

/**
 * Run the hooks of a place, in the recipe's order, in the release or, where that is not there, in the prefix.
 *
 * Post: only a required hook before a phase stops the change; whatever else goes wrong is told as a warning. Errors: HOOK_FAILED.
 */
export async function runHooks(change: FileChange, command: ChangeCommand, place: HookPlace): Promise<void> {
  for (const hook of hooksAt(change, place)) {
    try {
      await runHook(change, hook, { command, place })
    } catch (caught) {
      const error = toReleaseError(caught)
      const isStopping = hook.required && place.when === 'before' && place.phase !== 'rollback'
      if (isStopping) throw error
      change.emit({ kind: 'warning', code: error.code, message: error.message })
    }
  }
}

function hooksAt(change: FileChange, place: HookPlace): readonly Hook[] {
  return hooksOf(change).filter(hook => hook.when === place.when && hook.phase === place.phase)
}

/** What was interrupted before there was a release has no hooks that could be read. */
function hooksOf(change: FileChange): readonly Hook[] {
  try {
    return change.recipe().node.hooks
  } catch (caught) {
    if (caught instanceof ReleaseError) return []
    throw caught
  }
}

async function runHook(
  change: FileChange,
  hook: Hook,
  { command, place }: { readonly command: ChangeCommand; readonly place: HookPlace },
): Promise<void> {
  const { root } = releasePaths(change.paths, change.version)
  const context = commandContext(change, `hook ${place.when} ${place.phase}`)
  const release = outsideRelease(place) || !fs.existsSync(root) ? change.paths.root : root
  const told = {
    CUTOVER_PHASE: place.phase,
    CUTOVER_WHEN: place.when,
    CUTOVER_COMMAND: command,
    CUTOVER_VERSION: change.version,
    CUTOVER_FROM: change.from ?? '',
    CUTOVER_OUTCOME: place.outcome ?? '',
  }
  const { run, directory, environment, timeout } = hook
  await runNodeCommand({ run, directory, environment, timeout }, 'HOOK_FAILED', {
    ...context,
    release,
    values: { ...context.values, ...told },
  })
}
