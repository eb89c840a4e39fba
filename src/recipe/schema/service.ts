import { z } from 'zod'
import { duration, environment, name, relativePath } from './values.ts'

/** One process that a server runs. */
export const service = z.strictObject({
  name: name.describe('The name of the service, unique in the recipe.'),
  command: z
    .array(z.string())
    .min(1)
    .describe(
      'The command; may use `${release}`, `${shared}`, `${runtime}`, `${version}` (for python also `${pythonVersion}`, after PEP 440) and the variables of the environment.',
    ),
  directory: relativePath.optional().describe('Working directory relative to the release.'),
  environment: environment
    .default({})
    .describe('Variables of the service; may use the same placeholders as the command.'),
  listens: z
    .boolean()
    .default(false)
    .describe(
      'The service behind the gate; one at most. In `proxy` mode its command or environment uses `${port}` (a free port of 127.0.0.1) or `${socket}` (a unix socket) and it listens there; in `handover` mode it accepts on descriptor 3 (LISTEN_FDS=1).',
    ),
  stopSignal: z
    .enum(['SIGTERM', 'SIGINT', 'SIGQUIT'])
    .default('SIGTERM')
    .describe('The signal that asks it to end after its requests in flight.'),
  stopTimeout: duration.prefault('10s').describe('How long it may take to end before SIGKILL.'),
})

/** The keys of `node` that say what runs, and how. */
export const running = {
  services: z.array(service).default([]).describe('What runs.'),
} as const
