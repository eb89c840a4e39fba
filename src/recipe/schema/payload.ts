import { z } from 'zod'
import { folderPath, relativePath } from './values.ts'

const payloadEntry = z.strictObject({
  from: folderPath.describe('A file or folder of the built checkout, or `.` for all of it.'),
  to: folderPath
    .optional()
    .describe('Where it goes below the payload root (`.` is the root); the same path when absent.'),
  mode: z
    .string()
    .regex(/^0[0-7]{3}$/)
    .optional()
    .describe('The mode of files, such as `0755`; kept (normalised to 0644 or 0755) when absent.'),
})

/** The tree that every envelope of a component carries. */
export const payload = z
  .strictObject({
    root: relativePath.describe(
      'Where the payload lives on the file system in a package or image, without the leading slash, such as `opt/notes`.',
    ),
    entries: z.array(payloadEntry).min(1).describe('What is shipped.'),
    exclude: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Glob patterns, relative to the payload root, of what is not. A folder that matches goes with all below it; `*` does not match a leading dot.',
      ),
    codec: z
      .enum(['zstd', 'gzip'])
      .default('zstd')
      .describe(
        'How it is compressed. `gzip` is for readers older than dpkg 1.21.18 (Debian 12), Docker 23 and umoci; it is slower and larger.',
      ),
    deltas: z
      .number()
      .int()
      .min(0)
      .max(20)
      .default(3)
      .describe(
        'From how many releases before it delta packs are made, for upgrades that fetch least; those that are neither in `dist` nor in the repository of the clone are left out.',
      ),
    level: z
      .number()
      .int()
      .min(1)
      .max(19)
      .default(3)
      .describe('The level of the codec; gzip takes the levels above 9 as 9.'),
  })
  .describe('The tree that every envelope carries.')
