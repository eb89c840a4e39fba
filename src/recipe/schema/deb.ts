import { z } from 'zod'
import { isVendorField, type RareField, rareFieldProblem, rareFields } from '../../core/debian-fields.ts'
import { type RelationField, relationProblem } from '../../core/debian-relation.ts'
import { accountName, name, relativePath } from './values.ts'

/** Relations of one field. `${debianVersion}` stands for a version, so a version takes its place while they are checked. */
function relations(field: RelationField, meaning: string) {
  const relation = z.string().superRefine((text, context) => {
    const problem = relationProblem(field, text.replaceAll('${debianVersion}', '0'))
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
  return z.array(relation).default([]).describe(`${field}, one relation each: ${meaning}`)
}

/** A path that is written into a configuration file, a script or a control file as it is. */
const plainPath = relativePath.refine(text => /^[\w.+:@/-]+$/.test(text), {
  message: 'expected a path of letters, digits and . _ + : @ - /',
})
const packageFile = z.strictObject({
  from: relativePath.describe('A file or folder of the built checkout.'),
  to: plainPath.describe(
    'Where it goes on the file system, without the leading slash, such as `etc/notes/notes.conf`.',
  ),
  mode: z
    .string()
    .regex(/^0[0-7]{3}$/)
    .optional()
    .describe('The mode of files, such as `0640`; kept (normalised to 0644 or 0755) when absent.'),
})

const unitLife = {
  enable: z
    .boolean()
    .default(true)
    .describe('Enable it on the first installation; what an administrator chooses afterwards stays.'),
  start: z.boolean().default(true).describe('Start it when the package is installed.'),
  restart: z
    .enum(['restart', 'stop-start', 'none'])
    .default('restart')
    .describe(
      'On an upgrade: `restart` after it, `stop-start` stops it before the files change, `none` leaves it running as it is.',
    ),
}
const startsAgain = (unit: { readonly start: boolean; readonly restart: string }) =>
  unit.start || unit.restart !== 'stop-start'
const startsAgainMessage = { message: 'expected start: true, for what stop-start stops would not run again' }

const generatedUnits = z.strictObject(unitLife).refine(startsAgain, startsAgainMessage)
const unitFile = z
  .strictObject({
    from: relativePath.describe(
      'A unit file of the built checkout, such as `packaging/notes-prune.timer`; its name is the unit’s.',
    ),
    ...unitLife,
  })
  .refine(startsAgain, startsAgainMessage)

const user = z.strictObject({
  name: accountName.describe('The name of the user and its group.'),
  home: plainPath
    .optional()
    .describe('Its home, kept when the package is purged; `var/lib/NAME` of the package when absent.'),
  groups: z.array(accountName).default([]).describe('Further groups that it belongs to.'),
})

const alternativeLink = {
  name: plainPath
    .refine(text => !text.includes('/'), { message: 'expected a name without slashes' })
    .describe('The name of the alternative, such as `editor`.'),
  link: plainPath.describe('The link that everyone uses, such as `usr/bin/editor`.'),
  path: plainPath.describe('The file of this package that it may lead to.'),
}
const alternative = z.strictObject({
  ...alternativeLink,
  priority: z.number().int().min(0).max(1_000_000).default(50).describe('The highest priority is chosen.'),
  slaves: z.array(z.strictObject(alternativeLink)).default([]).describe('Links that follow it, such as manual pages.'),
})

const lintianOverride = z.strictObject({
  tag: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.+-]+$/, 'expected the name of a lintian tag')
    .describe('The tag.'),
  context: z
    .string()
    .regex(/^[^\u0000-\u001f\u007f]+$/, 'expected one line')
    .optional()
    .describe('What follows the tag, with `*` for any text; everything when absent.'),
  reason: z
    .string()
    .regex(/^[^\u0000-\u001f\u007f]*\S[^\u0000-\u001f\u007f]*$/, 'expected one line')
    .describe('Why it is right as it is; written above it as a comment.'),
})

const fieldName = z
  .union([
    z.enum(Object.keys(rareFields) as RareField[]),
    z.string().refine(isVendorField, { message: 'X-NAME for a field of your own' }),
  ])
  .describe('The name of the field.')

const debShape = z.strictObject({
  package: name.optional().describe('The name of the Debian package; the component’s name when absent.'),
  architecture: z.enum(['all', 'amd64', 'arm64']).default('all').describe('The Debian architecture.'),
  multiArch: z
    .enum(['no', 'same', 'foreign', 'allowed'])
    .optional()
    .describe('Multi-Arch: `foreign` lets packages of any architecture use it; `same` is not for architecture `all`.'),
  section: z
    .string()
    .regex(/^[a-z0-9+.-]+(\/[a-z0-9+.-]+)?$/, 'expected a section such as web or contrib/web')
    .default('misc')
    .describe('The archive section.'),
  priority: z.enum(['required', 'important', 'standard', 'optional']).default('optional').describe('The priority.'),
  epoch: z
    .number()
    .int()
    .min(0)
    .max(9999)
    .default(0)
    .describe('The epoch of the version, for a numbering that began anew; it can never go back.'),
  revision: z
    .string()
    .regex(/^[A-Za-z0-9+.~]+$/)
    .default('1')
    .describe('The Debian revision.'),
  preDepends: relations('Pre-Depends', 'installed before this one is even unpacked.'),
  depends: relations('Depends', 'needed to run.'),
  recommends: relations('Recommends', 'installed with it unless someone objects.'),
  suggests: relations('Suggests', 'of use together with it.'),
  enhances: relations('Enhances', 'of more use with this one.'),
  conflicts: relations('Conflicts', 'cannot be unpacked beside it.'),
  breaks: relations('Breaks', 'cannot be configured beside it.'),
  replaces: relations('Replaces', 'whose files it may take over.'),
  provides: relations('Provides', 'what it stands for besides its name.'),
  builtUsing: relations('Built-Using', 'sources that are part of it and whose licence asks to keep them.'),
  staticBuiltUsing: relations('Static-Built-Using', 'sources that are part of it.'),
  fields: z
    .partialRecord(fieldName, z.string())
    .default({})
    .superRefine((fields, context) => {
      for (const [field, value] of Object.entries(fields)) {
        const problem = value === undefined ? undefined : rareFieldProblem(field, value)
        if (problem !== undefined) context.addIssue({ code: 'custom', path: [field], message: problem })
      }
    })
    .describe(`Further control fields: ${Object.keys(rareFields).join(', ')}, or one of your own as \`X-NAME\`.`),
  files: z
    .array(packageFile)
    .default([])
    .describe('Files outside of the payload’s root. They are in no other envelope.'),
  conffiles: z
    .array(relativePath)
    .default([])
    .describe(
      'Files of the package that are configuration, without the leading slash. Those below `etc` are so without being named.',
    ),
  removedConffiles: z
    .array(relativePath)
    .default([])
    .describe(
      'Configuration of an earlier version that an upgrade removes, unless an administrator changed it (`remove-on-upgrade`).',
    ),
  manpages: z
    .array(relativePath.regex(/\.[1-9][a-z0-9]*$/, 'expected a path that ends in its section, such as man/notes.1'))
    .default([])
    .describe('Manual pages of the built checkout; their ending is the section.'),
  copyright: relativePath
    .optional()
    .describe(
      'A file of the built checkout to ship as the package’s `copyright`; made of licence and maintainer when absent.',
    ),
  unit: generatedUnits.optional().describe('Ship a systemd unit for each service.'),
  units: z.array(unitFile).default([]).describe('Further systemd units: timers, sockets, services.'),
  user: user.optional().describe('A system user, made on installation; generated units run as it.'),
  tmpfiles: relativePath
    .optional()
    .describe(
      'A file of the built checkout in the form of tmpfiles.d(5): folders and files made on installation and boot.',
    ),
  sysusers: relativePath
    .optional()
    .describe('A file of the built checkout in the form of sysusers.d(5): users and groups besides `user`.'),
  alternatives: z.array(alternative).default([]).describe('Names that it shares with other packages.'),
  triggers: z
    .array(
      z
        .string()
        .regex(
          /^(interest|activate)(-await|-noawait)? [!-~]+$/,
          'expected interest, interest-noawait, activate or activate-noawait and the trigger’s name',
        ),
    )
    .default([])
    .describe(
      'dpkg triggers, such as `interest-noawait /usr/share/notes/plugins`; `postinst` is called with `triggered`.',
    ),
  lintianOverrides: z.array(lintianOverride).default([]).describe('What lintian is not to complain about, and why.'),
  preinst: z.string().optional().describe('Shell text run before unpacking.'),
  postinst: z
    .string()
    .optional()
    .describe('Shell text run when configuring, after its users are made and before its units start.'),
  prerm: z.string().optional().describe('Shell text run before removal, after its units have stopped.'),
  postrm: z.string().optional().describe('Shell text run after removal.'),
})

/** The Debian package of a component. */
export const deb = debShape.superRefine((value, context) => {
  const { multiArch, architecture, conffiles, removedConffiles } = value
  if (multiArch === 'same' && architecture === 'all') {
    const message = 'expected another value for architecture all, of which there is one for every machine, found same'
    context.addIssue({ code: 'custom', path: ['multiArch'], message })
  }
  for (const [index, path] of removedConffiles.entries()) {
    if (!conffiles.includes(path)) continue
    const message = `expected a file that the package does not have any more, found ${path} as in conffiles`
    context.addIssue({ code: 'custom', path: ['removedConffiles', index], message })
  }
})
