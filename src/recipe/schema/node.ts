import { z } from 'zod'
import { configuration } from './configuration.ts'
import { gate } from './gate.ts'
import { health } from './health.ts'
import { data, type migration } from './migration.ts'
import { roles } from './roles.ts'
import { running, type service } from './service.ts'

/** How a server runs the application. */
export const node = z.strictObject({
  ...configuration,
  ...running,
  health: health.prefault({}).describe('How health is found out.'),
  ...data,
  roles,
  gate: gate.prefault({}).describe('What stands in front of the listening service.'),
})

/** A service of a recipe. `stopTimeout` in milliseconds. */
export type RecipeService = z.output<typeof service>
/** A migration of a recipe. */
export type RecipeMigration = z.output<typeof migration>
/** The gate of a recipe. Durations in milliseconds. */
export type RecipeGate = z.output<typeof gate>
/** What stands in front of an application: ours in the path, the socket passed on, or a server of the machine. */
export type GateKind = RecipeGate['mode']
/** How health is found out. Durations in milliseconds. */
export type RecipeHealth = z.output<typeof health>
export type { RecipeRole } from './roles.ts'
