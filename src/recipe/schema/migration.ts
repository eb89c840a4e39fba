import { z } from 'zod'
import { command, duration, name } from './values.ts'

/** A change of the data. */
export const migration = z.strictObject({
  name: name.describe('The name of the migration, unique in the recipe.'),
  run: command.shape.run,
  directory: command.shape.directory,
  environment: command.shape.environment,
  timeout: command.shape.timeout,
  phase: z
    .enum(['expand', 'short', 'contract'])
    .describe(
      '`expand`: before the hold, the old version runs on its result. `short`: inside the hold. `contract`: never during an installation; `cutover migrate --contract` runs it while the version serves, and there is no way back behind it.',
    ),
  rollback: z
    .enum(['compatible', 'forward-only'])
    .default('compatible')
    .describe(
      'Whether one can go back to the version before once requests have reached the new one; `forward-only` raises the rollback floor, as every `contract` does. A `short` one that is `forward-only` cannot be taken back at all, unless there are `backup` and `restore`.',
    ),
})

const epoch = z.number().int().min(0).max(1_000_000)

const stateFormat = z.strictObject({
  reads: z
    .array(epoch)
    .min(1)
    .max(10)
    .describe('The epochs of the stored data that this version can read; `writes` among them.'),
  writes: epoch.describe('The epoch in which it writes.'),
})

const backup = z.strictObject({
  run: command.shape.run,
  directory: command.shape.directory,
  environment: command.shape.environment,
  timeout: command.shape.timeout,
  when: z
    .enum(['forward-only', 'always'])
    .default('forward-only')
    .describe(
      '`forward-only`: in an installation that changes the data so that the version before cannot read it. `always`: in every one.',
    ),
  keep: z.number().int().min(1).max(100).default(3).describe('How many backups are kept below `shared/backups`.'),
})

const hook = z.strictObject({
  when: z.enum(['before', 'after']).describe('On which side of the phase.'),
  phase: z
    .enum([
      'stage',
      'fetch',
      'setup',
      'verify',
      'share',
      'backup',
      'migrate',
      'hold',
      'drain',
      'stop',
      'switch',
      'start',
      'probe',
      'pass',
      'watch',
      'soften',
      'start-beside',
      'canary',
      'promote',
      'retire',
      'commit',
      'rollback',
    ])
    .describe(
      'The operation; `commit` ends a change that went well, `rollback` is the taking back of one that did not. A phase that is left out has no hooks.',
    ),
  run: command.shape.run,
  directory: command.shape.directory,
  environment: command.shape.environment,
  timeout: duration.prefault('30s').describe('How long it may take; between hold and pass requests wait for it.'),
  required: z
    .boolean()
    .default(true)
    .describe('Whether a change fails whose `before` hook fails. One that runs `after`, or at a rollback, only warns.'),
})

/** The keys of `node` that say how data changes from release to release, and who takes part in a change. */
export const data = {
  migrations: z
    .array(migration)
    .default([])
    .describe('Data migrations, in order; each runs at most once per prefix and version.'),
  state: stateFormat
    .optional()
    .describe(
      'Formats of the stored data, numbered by epochs: a version that cannot read what is there is refused before anything stops.',
    ),
  backup: backup
    .optional()
    .describe(
      'Copies the data into the empty folder that the variable BACKUP_FOLDER names: while nothing runs before a `short` migration, beside the running version before an `expand` one.',
    ),
  restore: command
    .optional()
    .describe(
      'Puts back what `backup` copied to BACKUP_FOLDER, while nothing runs; may be run again after it was cut short. With it a failing change is taken back also behind a forward-only `short` migration, until requests are let through.',
    ),
  hooks: z
    .array(hook)
    .default([])
    .describe(
      'Commands before and after the phases of a change. They find CUTOVER_WHEN, CUTOVER_PHASE, CUTOVER_COMMAND, CUTOVER_VERSION, CUTOVER_FROM and CUTOVER_OUTCOME (`done`, or at a rollback the code of the error) in their environment, and may run again when a change is recovered. A rehearsal runs none.',
    ),
} as const
