import { z } from 'zod'
import { command, duration } from './values.ts'

const http = z.strictObject({
  path: z.string().startsWith('/').default('/health').describe('The path to request.'),
  status: z.number().int().min(100).max(599).default(200).describe('The status that means healthy.'),
  contains: z.string().optional().describe('Text that the body must hold; may use `${version}`.'),
})

const header = z.strictObject({
  name: z
    .string()
    .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/)
    .describe('The name of a header field of the answer.'),
  contains: z.string().default('').describe('Text that its value must hold; may use `${version}`.'),
})

/** How health is found out. */
export const health = z.strictObject({
  http: http
    .extend({ headers: z.array(header).default([]).describe('Header fields that the answer must have.') })
    .optional()
    .describe('Ask the application over HTTP.'),
  tcp: z
    .string()
    .optional()
    .describe('Or connect to `HOST:PORT` or `unix:PATH`; `gate` is where the listening service accepts.'),
  command: command.optional().describe('Or run a command in the release; exit code 0 is healthy.'),
  interval: duration
    .prefault('100ms')
    .describe('The pause between two probes; 50 ms at most while requests wait for a start, except for a command.'),
  timeout: duration.prefault('5s').describe('How long one probe may take.'),
  successes: z.number().int().min(1).default(2).describe('How many in a row make it healthy.'),
  failures: z.number().int().min(1).default(2).describe('How many in a row during the watch make it unhealthy again.'),
  startup: duration
    .prefault('0s')
    .describe('How long after its start a version is not asked at all; counts into the deadline.'),
  deadline: duration.prefault('30s').describe('How long a start may take to become healthy.'),
  patience: duration
    .optional()
    .describe(
      'For HTTP: how long a version may answer that it is not healthy before it is given up, while clients wait; the whole deadline when absent.',
    ),
  watch: duration
    .prefault('2s')
    .describe('How long it must stay healthy after the switch before the installation is final.'),
})
