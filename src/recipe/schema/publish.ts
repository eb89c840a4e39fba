import { z } from 'zod'
import { parseBytes } from '../../core/quantity.ts'
import { relativePath, variableName } from './values.ts'

/** What each place means is found out when it is opened; a password in one would be published with the recipe. */
const place = z
  .string()
  .regex(/^[^\u0000-\u0020\u007f]+$/, 'expected a folder or an address, without spaces')
  .refine(text => !/^[a-z][a-z0-9+.-]*:\/\/[^/]*@/i.test(text), {
    message: 'expected an address without a user: credentials are given by files and variables',
  })

const rate = z
  .string()
  .refine(text => text.endsWith('/s') && parseBytes(text.slice(0, -2)) !== undefined, {
    message: 'expected a rate such as 500KiB/s or 10MiB/s',
  })
  .transform(text => parseBytes(text.slice(0, -2))!)

const webhook = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/ })
      .refine(text => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''), {
        message: 'expected an address without a user',
      })
      .describe('Where the announcement is sent to, as a POST with JSON. Redirects are not followed.'),
    secretFile: relativePath
      .optional()
      .describe(
        'The file, relative to the recipe, with the secret that signs it (`webhook-signature`, HMAC-SHA256, as Standard Webhooks has it). Keep it out of the repository.',
      ),
    secretEnvironment: variableName
      .optional()
      .describe('The environment variable with that secret, instead of a file.'),
  })
  .refine(({ secretFile, secretEnvironment }) => secretFile === undefined || secretEnvironment === undefined, {
    message: 'expected at most one of secretFile and secretEnvironment',
  })

/** Where a release is published to. */
export const publish = z
  .strictObject({
    targets: z
      .array(place)
      .refine(list => new Set(list).size === list.length, { message: 'expected each place once' })
      .default([])
      .describe(
        'The places that `upload` publishes to: vendor repositories (a folder relative to the recipe, `https://…` for WebDAV, `s3://BUCKET/PREFIX`), and beside them `oci://HOST[:PORT]/NAMESPACE` for the images and `github:OWNER/REPO` for a release with all files. The repository that the clone was set up with when empty.',
      ),
    bandwidth: rate
      .optional()
      .describe('The most that all transfers of an upload may take together, such as `10MiB/s`.'),
    announce: z
      .strictObject({
        webhook: webhook.optional().describe('An address that is told.'),
        command: z
          .array(z.string().min(1))
          .min(1)
          .optional()
          .describe(
            'A command that is run in the folder of the recipe, with the announcement as JSON on its input and none of the secrets in its environment.',
          ),
      })
      .prefault({})
      .describe('Who is told once a release is published. A failure is reported, and takes nothing back.'),
  })
  .describe('Where releases are published to, and who is told.')
