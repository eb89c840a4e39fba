import { z } from 'zod'
import { name, relativePath } from './values.ts'

const systemdUnit = z.strictObject({
  enable: z.boolean().default(true).describe('Enable and start it on installation.'),
})

/** The Debian package of a component. */
export const deb = z.strictObject({
  package: name.optional().describe('The name of the Debian package; the application’s name when absent.'),
  architecture: z.enum(['all', 'amd64', 'arm64']).default('all').describe('The Debian architecture.'),
  section: z.string().default('misc').describe('The archive section.'),
  priority: z.enum(['required', 'important', 'standard', 'optional']).default('optional').describe('The priority.'),
  depends: z.array(z.string()).default([]).describe('Depends, one relation each.'),
  recommends: z.array(z.string()).default([]).describe('Recommends, one relation each.'),
  conffiles: z
    .array(relativePath)
    .default([])
    .describe('Files below the root of the file system that are configuration, without the leading slash.'),
  preinst: z.string().optional().describe('Shell text run before unpacking.'),
  postinst: z.string().optional().describe('Shell text run when configuring.'),
  prerm: z.string().optional().describe('Shell text run before removal.'),
  postrm: z.string().optional().describe('Shell text run after removal.'),
  unit: systemdUnit.optional().describe('Ship a systemd unit for each service.'),
  revision: z
    .string()
    .regex(/^[A-Za-z0-9+.~]+$/)
    .default('1')
    .describe('The Debian revision.'),
})
