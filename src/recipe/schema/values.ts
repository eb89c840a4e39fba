import { z } from 'zod'
import { namePattern } from '../../core/name.ts'
import { parseDuration } from '../../core/quantity.ts'
import { isRelativePath } from '../../core/relative-path.ts'

/* Values that keys of a recipe have in common. */

/** A length of time as `25s`; in milliseconds once it is read. */
export const duration = z
  .string()
  .refine(text => parseDuration(text) !== undefined, { message: 'expected a duration such as 250ms, 25s or 10m' })
  .transform(text => parseDuration(text)!)
/** A path below a folder. */
export const relativePath = z
  .string()
  .refine(isRelativePath, { message: 'expected a relative path without . or .. segments' })
/** A path below a folder, or the folder itself. */
export const folderPath = z.string().refine(text => text === '.' || isRelativePath(text), {
  message: 'expected a relative path without . or .. segments, or `.` for the folder itself',
})
/** A name that packages, files and units can have. */
export const name = z.string().regex(namePattern, 'expected 2 to 63 of a-z 0-9 + . - , a letter or digit first')
/** A name of a branch or remote. */
export const gitName = z
  .string()
  .regex(/^(?!-)[^\u0000-\u0020\u007f~^:?*[\\]+$/, 'expected a name that git takes for a branch or remote')
/** A name of a user or group. */
export const accountName = z
  .string()
  .regex(/^[a-z_][a-z0-9_-]{0,30}$/, 'expected at most 31 of a-z 0-9 _ - , a letter or _ first')
/** A name of an environment variable. */
export const variableName = z
  .string()
  .regex(/^[A-Z_][A-Z0-9_]*$/, 'expected an environment variable name in upper case')
/** Environment variables. */
export const environment = z.record(variableName, z.string())

/** A command, with how it is run. */
export const command = z
  .strictObject({
    run: z
      .union([z.string().min(1), z.array(z.string()).min(1)])
      .describe(
        'The command: a list is executed as it is, a string by `sh -eu -c`. On a node the words of a list may use placeholders as a service does; a string may not, for `${…}` is the shell’s there.',
      ),
    directory: relativePath
      .optional()
      .describe('Where it runs, relative to the checkout (release side) or the release (node side).'),
    environment: environment
      .default({})
      .describe('Variables added to the environment of the command; on a node their values may use placeholders.'),
    timeout: duration.prefault('10m').describe('How long it may take.'),
  })
  .describe('A command to run.')
