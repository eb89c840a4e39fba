import { runNodeCommand } from './command.ts'
import { commandContext } from './configure.ts'
import type { FileChange } from './file-change.ts'

/** Run a migration of the version that is changed to. Errors: MIGRATION_FAILED, RECIPE_PLACEHOLDER. */
export async function migrate(change: FileChange, name: string): Promise<string> {
  const migration = change.recipe().node.migrations.find(each => each.name === name)
  if (migration === undefined) throw new Error(`the recipe of ${change.version} has no migration ${name}`)
  await runNodeCommand(migration, 'MIGRATION_FAILED', commandContext(change, `migrate:${name}`))
  return migration.rollback
}
