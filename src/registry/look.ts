import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { readAnswer } from '../sys/exchange.ts'
import { type ClientOptions, openClient, type RegistryClient } from './client.ts'
import { type Descriptor, largestDocumentBytes, type Platform } from './document.ts'
import { getManifest } from './manifests.ts'
import type { Reference } from './reference.ts'
import { listReferrers } from './referrers.ts'
import type { RegistryTools } from './retry.ts'
import { walkImage } from './walk.ts'

/** What a registry has under a name, without its layers. */
export interface ImageLook {
  readonly digest: Digest
  readonly mediaType: string
  readonly annotations: Readonly<Record<string, string>>
  readonly manifests: readonly ManifestLook[]
  readonly referrers: readonly Descriptor[]
}

/** One platform of it. */
export interface ManifestLook {
  readonly digest: Digest
  readonly platform: Platform | undefined
  readonly layers: readonly Descriptor[]
  readonly annotations: Readonly<Record<string, string>>
  /** The image configuration as it is stored; undefined for an artifact. */
  readonly config: Readonly<Record<string, unknown>> | undefined
}

export interface LookOptions extends Omit<ClientOptions, 'actions' | 'name'> {
  readonly reference: Reference
}

/** Look at an image. Errors: REGISTRY_UNKNOWN, REGISTRY_DIGEST, IMAGE_UNSUPPORTED, IMAGE_INVALID, those of {@link RegistryClient.send}. */
export async function lookAtImage(options: LookOptions, tools: RegistryTools): Promise<ImageLook> {
  const { registry, repository, digest, tag } = options.reference
  const client = await openClient({ ...options, name: { registry, repository }, actions: 'pull' }, tools)
  const root = await getManifest(client, digest ?? tag ?? 'latest')
  const image = await walkImage(root, entry => getManifest(client, entry.digest), undefined)
  const manifests: ManifestLook[] = []
  for (const { stored, platform } of image.manifests) {
    if (stored.document.kind === 'index') continue
    const { config, layers, annotations } = stored.document
    const content = config.mediaType.includes('image') ? await getConfig(client, config) : undefined
    manifests.push({
      digest: stored.digest,
      platform: platform ?? platformOf(content),
      layers,
      annotations,
      config: content,
    })
  }
  const referrers = await listReferrers(client, root.digest)
  return {
    digest: root.digest,
    mediaType: root.mediaType,
    annotations: root.document.annotations,
    manifests,
    referrers,
  }
}

/** Read the platform that a configuration is for. Source: image-spec config.md. */
export function platformOf(config: unknown): Platform | undefined {
  if (typeof config !== 'object' || config === null) return undefined
  const { os, architecture, variant } = config as Readonly<Record<string, unknown>>
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) }
}

async function getConfig(client: RegistryClient, { digest }: Descriptor): Promise<Readonly<Record<string, unknown>>> {
  const what = `get configuration ${digest}`
  const answer = await client.send({ method: 'GET', to: `blobs/${digest}`, what, expect: [200] })
  const bytes = await readAnswer(answer, largestDocumentBytes, what)
  const found = digestOf(bytes)
  if (found !== digest) {
    throw new ReleaseError('REGISTRY_DIGEST', `${client.name.registry} sent ${found} as configuration ${digest}`, {
      details: { expected: digest, found, registry: client.name.registry },
    })
  }
  return parseConfig(bytes, digest)
}

function parseConfig(bytes: Buffer, digest: Digest): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch (caught) {
    throw new ReleaseError('IMAGE_INVALID', `the configuration ${digest} is not JSON`, { cause: caught })
  }
  throw new ReleaseError('IMAGE_INVALID', `the configuration ${digest} is not an object`, { details: { digest } })
}
