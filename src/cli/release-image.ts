import path from 'node:path'
import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import { isVersion } from '../core/version.ts'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface RegistryOptions extends GlobalOptions {
  readonly plainHttp?: boolean
}

interface PushOptions extends RegistryOptions {
  readonly dist?: string
  readonly component?: string
  readonly repository?: string
  readonly tag: readonly string[]
}

interface PullOptions extends RegistryOptions {
  readonly platform: readonly string[]
  readonly cache?: string
}

interface LockOptions extends RegistryOptions {
  readonly update?: boolean
  readonly recipe?: string
}

/** `release image`: images in registries. */
export function releaseImageCommand(io: Io): Command {
  return new Command('image')
    .description(
      'Push the image of a release to a registry, look at and fetch images there, or lock those that a recipe builds on.',
    )
    .addCommand(pushCommand(io))
    .addCommand(pullCommand(io))
    .addCommand(inspectCommand(io))
    .addCommand(lockCommand(io))
}

function pushCommand(io: Io): Command {
  return new Command('push')
    .description(
      'Push the image of a release, with all platforms and what refers to it. What the registry has is not sent again, so a push that was killed is run again. Credentials are those of `podman login` and `docker login`.',
    )
    .argument('<names...>', 'the release, the newest in dist when left out, and where to: HOST/NAME[:TAG]')
    .usage('[options] [VERSION] HOST/NAME[:TAG]')
    .option('--tag <tag>', 'a further tag; the version is one when none is named (repeatable)', collect, [])
    .option('--component <name>', 'whose image, in a release with several; that of the application when absent')
    .option('--dist <dir>', 'where releases were cut to; dist in the clone when absent')
    .option('--repository <dir>', 'push from this vendor repository, which has the signed provenance, too')
    .option(...plainHttp)
    .action(async (names: readonly string[], _options: unknown, command: Command) => {
      const { dist, component, repository, tag, plainHttp = false, ...global } = command.optsWithGlobals<PushOptions>()
      process.exitCode = await runCommand(io, 'image push', global, async tools => {
        const { imagePush } = await import('../flow/image-push.ts')
        const { cwd, environment } = io
        const distFolder = dist === undefined ? undefined : path.resolve(cwd, dist)
        const from = repository === undefined ? undefined : path.resolve(cwd, repository)
        const places = { cwd, environment, distFolder, repository: from }
        await imagePush({ ...places, component, tags: tag, plainHttp, ...chosen(names) }, tools)
      })
    })
}

function pullCommand(io: Io): Command {
  return new Command('pull')
    .description('Fetch an image into a folder, as an OCI image layout. Every byte is checked against the digests.')
    .argument('<reference>', 'the image: HOST/NAME[:TAG][@DIGEST]')
    .argument('<folder>', 'the image layout to write; one that is there is replaced')
    .option('--platform <platform>', 'only this one, such as linux/arm64 (repeatable)', collect, [])
    .option('--cache <dir>', 'a folder of blobs that are shared with other image layouts by hard links')
    .option(...plainHttp)
    .action(async (reference: string, folder: string, _options: unknown, command: Command) => {
      const { platform, cache, plainHttp = false, ...global } = command.optsWithGlobals<PullOptions>()
      process.exitCode = await runCommand(io, 'image pull', global, async tools => {
        const { imagePull } = await import('../flow/image-pull.ts')
        const { cwd, environment } = io
        const cacheFolder = cache === undefined ? undefined : path.resolve(cwd, cache)
        await imagePull({ cwd, environment, reference, folder, platforms: platform, cacheFolder, plainHttp }, tools)
      })
    })
}

function inspectCommand(io: Io): Command {
  return new Command('inspect')
    .description('Show an image in a registry: its platforms, annotations, and what refers to it.')
    .argument('<reference>', 'the image: HOST/NAME[:TAG][@DIGEST]')
    .option(...plainHttp)
    .action(async (reference: string, _options: unknown, command: Command) => {
      const { plainHttp = false, ...global } = command.optsWithGlobals<RegistryOptions>()
      process.exitCode = await runCommand(io, 'image inspect', global, async tools => {
        const { imageInspect } = await import('../flow/image-inspect.ts')
        await imageInspect({ cwd: io.cwd, environment: io.environment, reference, plainHttp }, tools)
      })
    })
}

function lockCommand(io: Io): Command {
  return new Command('lock')
    .description(
      'Fix the images that the recipe builds on by their digests, in the lock file beside it. Folders and archives are locked as they are now, tags of registries when they are not locked yet.',
    )
    .option('--update', 'ask registries again for tags that are locked already')
    .option('--recipe <path>', 'a recipe outside of the repository: the file, or a folder that holds it')
    .option(...plainHttp)
    .action(async (_options: unknown, command: Command) => {
      const { update = false, recipe, plainHttp = false, ...global } = command.optsWithGlobals<LockOptions>()
      process.exitCode = await runCommand(io, 'image lock', global, async tools => {
        const { lockImages } = await import('../flow/image-lock.ts')
        const { cwd, environment } = io
        await lockImages({ cwd, environment, recipe: recipe && path.resolve(cwd, recipe), update, plainHttp }, tools)
      })
    })
}

const plainHttp = [
  '--plain-http',
  'speak without TLS to a registry that is not on this machine; passwords go in plain text, too',
] as const

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function chosen(names: readonly string[]): { readonly version?: string; readonly reference: string } {
  const [first = '', second, ...more] = names
  if (more.length === 0 && second === undefined) return { reference: first }
  if (more.length === 0 && second !== undefined && isVersion(first)) return { version: first, reference: second }
  throw new ReleaseError('USAGE', `${names.join(' ')} is not a version and one place to push to`, {
    hint: 'write release image push [VERSION] HOST/NAME[:TAG], and further tags with --tag',
  })
}
