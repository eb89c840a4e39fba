import { syncFileSystem } from '../sys/files.ts'
import { runNodeCommand } from './command.ts'
import { commandContext } from './configure.ts'
import type { FileChange } from './file-change.ts'

/** Run a migration of the version that is changed to. Errors: MIGRATION_FAILED, RECIPE_PLACEHOLDER. */
export async function migrate(change: FileChange, name: string): Promise<string> {
  const migration = change.recipe().node.migrations.find(each => each.name === name)
  if (migration === undefined) throw new Error(`the recipe of ${change.version} has no migration ${name}`)
  await runNodeCommand(migration, 'MIGRATION_FAILED', commandContext(change, `migrate:${name}`))
  // The journal is about to say for good that it was done: what it did must not be lost with the power behind that.
  await syncFileSystem(change.paths.shared)
  return migration.rollback
}
