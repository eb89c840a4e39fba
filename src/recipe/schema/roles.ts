import { z } from 'zod'
import { environment, name } from './values.ts'

const health = z
  .strictObject({
    contains: z
      .string()
      .optional()
      .describe(
        'Text that the body of `node.health.http` must hold besides; may use `${role}`, `${slot}`, `${version}`.',
      ),
  })
  .prefault({})
  .describe('What makes it healthy in this role, beyond what `node.health` asks.')

const role = z.strictObject({
  environment: environment
    .default({})
    .describe('Values of variables, in place of those of the environment. What a prefix was given itself stays.'),
  mounts: z
    .record(name, name)
    .default({})
    .describe(
      'Folders that belong to the role and not to a slot: `shared/NAME` of the slot that has the role leads to `shared/FOLDER` of the site. In every role the same names.',
    ),
  health,
  host: z
    .string()
    .min(1)
    .default('localhost')
    .describe('The name that its clients ask for, such as `www.example.org`; may use variables.'),
})

/** What a release is used for, by name; see `cutover slots`. */
export const roles = z
  .record(name, role)
  .default({})
  .describe(
    'The roles that slots of a site can have, such as `production` and `development`; `cutover switch` swaps them. A prefix that is no slot has the role that is called like its environment, else the first by name. `${role}` and `${slot}` stand for both names.',
  )

/** A role of a recipe. */
export type RecipeRole = z.output<typeof role>
