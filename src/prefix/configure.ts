import { makeFolder } from '../sys/files.ts'
import { type CommandContext, runNodeCommand } from './command.ts'
import type { FileChange } from './file-change.ts'
import { releasePaths } from './layout.ts'
import { prepareRuntime } from './runtime.ts'
import { ensureSecrets } from './secrets.ts'
import { makeShared } from './shared.ts'
import { releaseValues } from './values.ts'

/** Give a staged release its interpreter and run what its recipe says. Errors: RUNTIME_*, SETUP_FAILED. */
export async function setUp(change: FileChange): Promise<string> {
  const { paths, version, signal } = change
  const { runtime, setup } = change.recipe().node
  const prepared = await prepareRuntime({
    paths,
    version,
    runtime,
    values: commandContext(change, 'setup').values,
    signal,
  })
  // The values name the interpreter only now that it was chosen.
  const context = commandContext(change, 'setup')
  for (const command of setup) await runNodeCommand(command, 'SETUP_FAILED', context)
  return setup.length === 0 ? prepared : `${prepared}, ${setup.length} commands`
}

/** Make the configuration and secrets that outlive releases; what was written, for people. Errors: RECIPE_PLACEHOLDER, FILE_IO. */
export function share(change: FileChange): string | undefined {
  const { paths, version } = change
  const { values } = commandContext(change, 'share')
  makeFolder(paths.shared, { mode: 0o750 })
  const written = makeShared({ paths, version, node: change.recipe().node, values })
  return written.length === 0 ? undefined : `wrote ${written.join(', ')}`
}

/** What commands of a recipe run with during a change. */
export function commandContext(change: FileChange, step: string): CommandContext {
  const { paths, identity, version, emit, signal } = change
  const recipe = change.recipe()
  const secrets = ensureSecrets(paths, recipe.node.secrets)
  const values = releaseValues({ paths, identity, recipe, version, secrets })
  return { release: releasePaths(paths, version).root, values, secrets, step, emit, signal }
}
