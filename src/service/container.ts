import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { RecipeService } from '../recipe/schema.ts'
import { readTextIfExists } from '../sys/files.ts'
import type { ContainerSpec, Mount, ServiceSpec } from './driver.ts'
import { type ComposeService, parseComposeService } from './parse-compose.ts'

/** What a container of a prefix is made from. Paths absolute. */
export interface ContainerContext {
  readonly values: Readonly<Record<string, string>>
  /** Names of the secrets that are files, each with its path as the value `NAME_FILE`. */
  readonly secretFiles: readonly string[]
  /** The names of the recipe's services. */
  readonly services: readonly string[]
  readonly releaseFolder: string
  readonly sharedFolder: string
  /** Folders outside of it that links in it lead to. */
  readonly mountedFolders: readonly string[]
  /** Where the unix socket of mode proxy goes. */
  readonly socketFolder: string
  /** Find the digest of the release's own image; undefined when the release has none. */
  readonly releaseImage: () => string | undefined
}

/**
 * Make a service run in its container: with the image by digest, the release and the shared folder at the paths that they have
 * outside, and what a compose file of the release says of it.
 *
 * Errors: COMPOSE_INVALID, RECIPE_PLACEHOLDER, SERVICE_DRIVER_UNSUITABLE (no digest to be had).
 */
export async function containService(
  spec: ServiceSpec,
  service: RecipeService,
  context: ContainerContext,
): Promise<ServiceSpec> {
  const { container } = service
  if (container === undefined) return spec
  const compose = container.compose === undefined ? undefined : await readCompose(container.compose, service, context)
  const image = imageByDigest(container.image ?? compose?.image, spec.name, context)
  const secrets = placeSecretFiles(spec, context)
  const mounts: readonly Mount[] = [
    { from: context.releaseFolder, to: context.releaseFolder, readOnly: true },
    ...[context.sharedFolder, ...context.mountedFolders].map(folder => ({ from: folder, to: folder, readOnly: false })),
    ...(spec.listens ? [{ from: context.socketFolder, to: context.socketFolder, readOnly: false }] : []),
    ...container.volumes.map(({ from, to, readOnly }) => ({
      from: path.join(context.sharedFolder, from),
      to,
      readOnly,
    })),
    ...secrets.mounts,
    ...(compose?.mounts ?? []),
  ]
  const contained: ContainerSpec = {
    image,
    network: container.network,
    mounts,
    workingDirectory: service.directory === undefined ? compose?.workingDirectory : spec.cwd,
    keepsEntrypoint: service.command.length === 0,
  }
  const argv = service.command.length === 0 ? (compose?.command ?? []) : spec.argv
  return { ...spec, argv, environment: { ...compose?.environment, ...secrets.environment }, container: contained }
}

/** The image that is meant, the same on every node and every day. */
function imageByDigest(name: string | undefined, service: string, { releaseImage }: ContainerContext): string {
  if (name === undefined)
    throw new ReleaseError(
      'COMPOSE_INVALID',
      `service ${service} has no image, neither in the recipe nor in the compose file`,
    )
  if (name.includes('@')) return name
  const digest = releaseImage()
  if (digest !== undefined) return `${name}@${digest}`
  throw new ReleaseError(
    'SERVICE_DRIVER_UNSUITABLE',
    `service ${service} runs ${name}, of which no digest is known: the release has no image of its own`,
    { hint: `write ${name}@sha256:… in the recipe, or have the release build an image (artifacts.oci)` },
  )
}

/** What is a file outside is one in the container as well, where images look for it. */
function placeSecretFiles(spec: ServiceSpec, { values, secretFiles }: ContainerContext) {
  const placed = secretFiles.map(name => {
    const to = `/run/secrets/${name}`
    return { name: `${name}_FILE`, to, mount: { from: values[`${name}_FILE`] ?? '', to, readOnly: true } }
  })
  return {
    environment: { ...spec.environment, ...Object.fromEntries(placed.map(({ name, to }) => [name, to])) },
    mounts: placed.map(({ mount }) => mount),
  }
}

async function readCompose(file: string, service: RecipeService, context: ContainerContext): Promise<ComposeService> {
  const place = path.join(context.releaseFolder, file)
  const text = readTextIfExists(place)
  if (text === undefined) throw new ReleaseError('COMPOSE_INVALID', `${place} is not in the release`)
  // Loaded late: only who has a compose file needs it.
  const { parse } = await import('yaml')
  return parseComposeService(parseYaml(parse, text, place), {
    place,
    service: service.name,
    services: context.services,
    fill: value => fillPlaceholders(value, context.values, place),
    folder: path.dirname(place),
    releaseFolder: context.releaseFolder,
    sharedFolder: context.sharedFolder,
    read: name => readTextIfExists(name),
  })
}

function parseYaml(parse: (text: string) => unknown, text: string, place: string): unknown {
  try {
    return parse(text)
  } catch (caught) {
    throw new ReleaseError('COMPOSE_INVALID', `${place} is no YAML: ${(caught as Error).message}`, { cause: caught })
  }
}
