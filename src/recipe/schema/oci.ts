import { z } from 'zod'
import { isRelativePath } from '../../core/relative-path.ts'
import { isBase } from '../base.ts'
import { environment } from './values.ts'

const port = z
  .union([z.number().int().min(1).max(65535), z.string().regex(/^[1-9]\d{0,4}\/(tcp|udp|sctp)$/)], {
    error: 'expected a port, such as 8080 or 53/udp',
  })
  .refine(value => Number.parseInt(String(value), 10) <= 65535, { message: 'expected a port up to 65535' })
  .transform(value => (typeof value === 'number' ? `${value}/tcp` : value))

const absolutePath = z
  .string()
  .refine(isAbsolutePath, { message: 'expected an absolute path without . or .. segments' })

function isAbsolutePath(text: string): boolean {
  return text.startsWith('/') && isRelativePath(text.slice(1))
}

/** Those that say what the program knows better than a recipe. */
const ownAnnotation = /^org\.opencontainers\.image\.(created|version|revision|base\.\w+|ref\.name)$|^dev\.cutover\./

/** The container image of a component. */
export const oci = z
  .strictObject({
    base: z
      .string()
      .refine(isBase, {
        message:
          'expected scratch, oci:FOLDER[:NAME], archive:FILE[:NAME] or the name of an image at a registry with its tag or digest',
      })
      .default('scratch')
      .describe(
        'The image that the payload is put on: `scratch` for none; `oci:FOLDER[:NAME]` for an image layout, `archive:FILE[:NAME]` for what `docker save` or skopeo wrote (docker-archive, oci-archive), both relative to the recipe; else an image at a registry, such as `registry.example.org/node:26-slim`. `release image lock` writes its digest into the lock file beside the recipe, and `cut` takes no other.',
      ),
    platforms: z
      .array(z.enum(['linux/amd64', 'linux/arm64']))
      .min(1)
      .refine(list => new Set(list).size === list.length, { message: 'expected each platform once' })
      .default(['linux/amd64'])
      .describe('The platforms of the image index. A base has to have them all.'),
    entrypoint: z
      .array(z.string())
      .optional()
      .describe('The entry point; that of the base when absent. Given, it also takes the base’s arguments away.'),
    cmd: z.array(z.string()).optional().describe('The default arguments; those of the base when absent.'),
    user: z
      .string()
      .regex(/^([a-z_][a-z0-9_-]*|\d{1,10})(:([a-z_][a-z0-9_-]*|\d{1,10}))?$/, 'expected USER or USER:GROUP')
      .optional()
      .describe(
        'The user and group that run it, by number, or by a name that the base has. When absent it is the user of the base, or `65534:65534` (nobody) where that is root or unsaid; for root write `0:0`.',
      ),
    workingDirectory: z
      .string()
      .refine(text => text === '/' || isAbsolutePath(text), {
        message: 'expected an absolute path without . or .. segments',
      })
      .optional()
      .describe('The working directory; the payload root when absent, whatever the base has.'),
    environment: environment.default({}).describe('Environment variables, besides those of the base.'),
    ports: z
      .array(port)
      .default([])
      .describe('Ports that it listens on, besides those of the base: `8080` is TCP, `53/udp` says otherwise.'),
    volumes: z
      .array(absolutePath)
      .default([])
      .describe(
        'Paths that hold data, besides those of the base. When `user` is a number, the image has them as folders of that user, so that new volumes are writable.',
      ),
    labels: z.record(z.string().min(1), z.string()).default({}).describe('Labels, besides those of the base.'),
    stopSignal: z
      .string()
      .regex(/^(SIG[A-Z0-9+-]+|\d{1,2})$/, 'expected a signal such as SIGINT')
      .optional()
      .describe('The signal that asks it to end; that of the base, else SIGTERM, when absent.'),
    annotations: z
      .record(
        z
          .string()
          .regex(
            /^[a-z0-9]+([.-][a-z0-9]+)+(\/[a-z0-9._-]+)?$/,
            'expected a key such as org.opencontainers.image.vendor',
          )
          .refine(key => !ownAnnotation.test(key), { message: 'expected an annotation that is not written anyway' }),
        z.string(),
      )
      .default({})
      .describe(
        'Annotations of index and manifests, such as `org.opencontainers.image.vendor` or `…documentation`. Title, description, licenses, authors, url and source come from the recipe when they are not here; created, version, revision and base always.',
      ),
  })
  .superRefine(({ base, user = '0' }, context) => {
    if (base !== 'scratch' || /^\d+(:\d+)?$/.test(user)) return
    const message = `expected a number, for an image from scratch has no names, found ${user}`
    context.addIssue({ code: 'custom', path: ['user'], message })
  })
