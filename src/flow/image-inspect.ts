import { formatBytes } from '../core/quantity.ts'
import { renderPlatform } from '../registry/document.ts'
import { type ImageLook, lookAtImage, type ManifestLook } from '../registry/look.ts'
import { parseReference, renderReference } from '../registry/reference.ts'
import { type RegistryOptions, registryTools } from './image-registry.ts'
import type { FlowTools } from './tools.ts'

/** Which image to look at. */
export interface ImageInspectOptions extends RegistryOptions {
  readonly reference: string
}

/**
 * Show what a registry has under a name: platforms with their layers and how they run, annotations, and what refers to the image.
 *
 * Post: `result` is an {@link ImageLook} with its `reference` by digest. Errors: REFERENCE_INVALID, those of {@link lookAtImage}.
 */
export async function imageInspect(options: ImageInspectOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const reference = parseReference(options.reference)
  const { environment, plainHttp } = options
  const look = await lookAtImage({ reference, environment, plainHttp }, registryTools(tools))
  const { registry, repository } = reference
  const byDigest = renderReference({ registry, repository, digest: look.digest })
  for (const table of tables(look)) if (table.rows.length > 0) tools.emit({ kind: 'table', ...table })
  tools.emit({
    kind: 'run-done',
    command: 'image inspect',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${renderReference(reference)} is ${byDigest}`,
    result: { ...look, reference: byDigest },
  })
}

function tables(look: ImageLook) {
  return [
    {
      title: 'Platforms',
      columns: ['Platform', 'Manifest', 'Layers', 'Size', 'Runs'],
      rows: look.manifests.map(manifest => [
        manifest.platform === undefined ? '' : renderPlatform(manifest.platform),
        manifest.digest,
        String(manifest.layers.length),
        formatBytes(manifest.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)),
        commandOf(manifest),
      ]),
    },
    {
      title: 'Annotations',
      columns: ['Name', 'Value'],
      rows: Object.entries(look.annotations).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    },
    {
      title: 'Referrers',
      columns: ['Type', 'Manifest', 'Size'],
      rows: look.referrers.map(({ artifactType, mediaType, digest, sizeBytes }) => [
        artifactType ?? mediaType,
        digest,
        formatBytes(sizeBytes),
      ]),
    },
  ]
}

/** The command line that an image starts, as far as its configuration is of the usual form. */
function commandOf({ config }: ManifestLook): string {
  const run = config?.['config']
  if (typeof run !== 'object' || run === null) return ''
  const { Entrypoint, Cmd } = run as Readonly<Record<string, unknown>>
  return [Entrypoint, Cmd].flatMap(words => (Array.isArray(words) ? words.map(String) : [])).join(' ')
}
