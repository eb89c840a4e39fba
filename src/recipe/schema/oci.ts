import { z } from 'zod'
import { environment } from './values.ts'

/** The container image of a component. */
export const oci = z.strictObject({
  platforms: z
    .array(z.enum(['linux/amd64', 'linux/arm64']))
    .min(1)
    .default(['linux/amd64'])
    .describe('The platforms of the image index.'),
  entrypoint: z.array(z.string()).default([]).describe('The entry point.'),
  cmd: z.array(z.string()).default([]).describe('The default arguments.'),
  user: z.string().default('65534:65534').describe('The user and group that run it.'),
  workingDirectory: z.string().optional().describe('The working directory; the payload root when absent.'),
  environment: environment.default({}).describe('Environment variables.'),
  ports: z.array(z.number().int().min(1).max(65535)).default([]).describe('TCP ports that it listens on.'),
  volumes: z.array(z.string().startsWith('/')).default([]).describe('Paths that hold data.'),
  labels: z.record(z.string(), z.string()).default({}).describe('Further labels.'),
})
