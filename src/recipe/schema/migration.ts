import { z } from 'zod'
import { command, name } from './values.ts'

/** A change of the data. */
export const migration = z.strictObject({
  name: name.describe('The name of the migration, unique in the recipe.'),
  run: command.shape.run,
  directory: command.shape.directory,
  environment: command.shape.environment,
  timeout: command.shape.timeout,
  phase: z
    .enum(['expand', 'short'])
    .describe('`expand`: before the hold, the old version runs on its result. `short`: inside the hold.'),
  rollback: z
    .enum(['compatible', 'forward-only'])
    .default('compatible')
    .describe('Whether the version before can run on the result; `forward-only` raises the rollback floor.'),
})

/** The keys of `node` that say how data changes from release to release. */
export const data = {
  migrations: z
    .array(migration)
    .default([])
    .describe('Data migrations, in order; each runs at most once per prefix and version.'),
} as const
