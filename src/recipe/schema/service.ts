import { z } from 'zod'
import { parseBytes } from '../../core/quantity.ts'
import { command, duration, environment, name, relativePath } from './values.ts'

const size = z
  .string()
  .refine(text => parseBytes(text) !== undefined, { message: 'expected a size such as 256MiB or 1GiB' })
  .transform(text => parseBytes(text)!)

const limits = z
  .strictObject({
    memory: size.optional().describe('How much memory it may use, such as `512MiB`; beyond it is killed.'),
    openFiles: z.number().int().min(16).optional().describe('How many files and sockets each process may have open.'),
    processes: z.number().int().min(1).optional().describe('How many processes and threads it may have.'),
    cpu: z.number().min(0.01).max(1024).optional().describe('How many processors it may keep busy, such as `1.5`.'),
  })
  .describe('What it may use. Memory, processes and cpu are held by control groups; as root, or by systemd or podman.')

/** What systemd keeps from a service unless its recipe says that it cannot live so. Source: systemd.exec(5), systemd.service(5). */
export const hardeningNames = [
  'NoNewPrivileges',
  'ProtectSystem',
  'ProtectHome',
  'PrivateTmp',
  'PrivateDevices',
  'ProtectClock',
  'ProtectControlGroups',
  'ProtectHostname',
  'ProtectKernelLogs',
  'ProtectKernelModules',
  'ProtectKernelTunables',
  'RestrictAddressFamilies',
  'RestrictNamespaces',
  'RestrictRealtime',
  'RestrictSUIDSGID',
  'LockPersonality',
  'CapabilityBoundingSet',
  'SystemCallArchitectures',
  'SystemCallFilter',
] as const

/** An image is named so that it is the same everywhere: by its digest, or as the one of the release, whose digest the release record has. */
const imageName = z
  .string()
  .regex(
    /^[a-z0-9][\w.-]*(:\d+)?(\/[a-z0-9][\w.-]*)*(@sha256:[0-9a-f]{64})?$/,
    'expected the name of an image without a tag, such as registry.example.org/notes, or NAME@sha256:DIGEST',
  )

const volume = z.strictObject({
  from: relativePath.describe('A folder below `shared/` of the prefix.'),
  to: z
    .string()
    .regex(/^\/[^:,\u0000-\u001f]*$/, 'expected an absolute path without colons or commas')
    .describe('Where the container has it.'),
  readOnly: z.boolean().default(false).describe('Whether it may only be read.'),
})

const container = z
  .strictObject({
    image: imageName
      .optional()
      .describe(
        'The image: with `@sha256:…` exactly that one; without, where the release’s own image is pulled from, whose digest the release record has. Absent, that of the compose file.',
      ),
    compose: relativePath
      .optional()
      .describe(
        'A compose file of the release: its service of the same name gives the image, command, environment, volumes and secrets. A key that is not understood is an error.',
      ),
    network: z
      .enum(['host', 'bridge', 'none'])
      .default('host')
      .describe(
        '`host`: it listens on 127.0.0.1:${port}. `bridge`: it listens on ${port} of all its addresses, which is published on 127.0.0.1. `none`: it listens on ${socket}.',
      ),
    volumes: z
      .array(volume)
      .default([])
      .describe(
        'Folders besides the release (read-only) and `shared/`, which have the paths that they have outside. Secrets `as: file` are in /run/secrets.',
      ),
  })
  .refine(({ image, compose }) => image !== undefined || compose !== undefined, {
    message: 'expected image or compose, found none',
  })

/** One process that a server runs. */
export const service = z
  .strictObject({
    name: name.describe('The name of the service, unique in the recipe.'),
    command: z
      .array(z.string())
      .default([])
      .describe(
        'The command; may use `${release}`, `${shared}`, `${runtime}`, `${version}` (for python also `${pythonVersion}`, after PEP 440) and the variables of the environment. Only a container may do without: it runs what its image says.',
      ),
    directory: relativePath.optional().describe('Working directory relative to the release.'),
    environment: environment
      .default({})
      .describe('Variables of the service; may use the same placeholders as the command.'),
    listens: z
      .boolean()
      .default(false)
      .describe(
        'The service behind the gate; one at most. In `proxy` mode its command or environment uses `${port}` (a free port of 127.0.0.1) or `${socket}` (a unix socket) and it listens there, in modes `haproxy` and `nginx` `${port}`; in `handover` mode it accepts on descriptor 3, and those after it (LISTEN_FDS, LISTEN_FDNAMES; see HANDOVER.md).',
      ),
    stopSignal: z
      .enum(['SIGTERM', 'SIGINT', 'SIGQUIT'])
      .default('SIGTERM')
      .describe('The signal that asks it to end after its requests in flight.'),
    stopTimeout: duration.prefault('10s').describe('How long it may take to end before SIGKILL.'),
    readiness: z
      .enum(['started', 'notify'])
      .default('started')
      .describe(
        '`notify`: it tells by sd_notify(3) when it is ready, and what comes after it waits for that. With driver systemd only; the others go on once it is started.',
      ),
    limits: limits.default({}),
    before: z
      .array(command)
      .default([])
      .describe('Jobs to run each time before it is started, as its user; when one fails, the start fails.'),
    after: z
      .array(command)
      .default([])
      .describe('Jobs to run each time once it is started, as its user; when one fails, the start fails.'),
    relax: z
      .array(z.enum(hardeningNames))
      .default([])
      .describe('What it cannot live with of how systemd hardens it, such as `PrivateDevices`.'),
    container: container.optional().describe('The container that it runs in, with driver podman.'),
  })
  .refine(service => service.command.length > 0 || service.container !== undefined, {
    path: ['command'],
    message: 'expected a command, or a container whose image has one, found none',
  })

/** The keys of `node` that say what runs, and how. */
export const running = {
  services: z.array(service).default([]).describe('What runs, in the order in which it is started.'),
  driver: z
    .enum(['embedded', 'systemd', 'supervisor', 'podman'])
    .default('embedded')
    .describe(
      'Who runs the services: `cutover serve` itself, or the systemd, supervisor or podman of the machine, which it tells. `cutover settings` decides otherwise for a prefix. `handover` takes embedded, or systemd with a socket unit.',
    ),
} as const
