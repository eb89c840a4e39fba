import path from 'node:path'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import { renderPlatform } from '../registry/document.ts'
import { type PulledImage, pullImage } from '../registry/pull.ts'
import { parseReference, type Reference, renderReference } from '../registry/reference.ts'
import { parsePlatform } from '../registry/walk.ts'
import { describeTransfer, type RegistryOptions, registryTools, tellBytes } from './image-registry.ts'
import type { FlowTools } from './tools.ts'

/** Which image to pull, and where to. */
export interface ImagePullOptions extends RegistryOptions {
  readonly reference: string
  /** The image layout to write. */
  readonly folder: string
  /** `OS/ARCHITECTURE[/VARIANT]`; all that there are when empty. */
  readonly platforms: readonly string[]
  /** A folder whose blobs are shared with the layout. */
  readonly cacheFolder?: string | undefined
}

interface PullState {
  readonly options: ImagePullOptions
  readonly tools: FlowTools
  readonly reference: Reference
  pulled?: PulledImage
}

const steps: readonly Step<PullState, unknown>[] = [
  // Each blob is checked as it comes; the folder appears when all are there.
  { name: 'pull the image', required: false, run: pull },
]

/**
 * Pull an image from a registry into an image layout.
 *
 * Post: `result` is a {@link PulledImage} with its `reference` by digest. Errors: REFERENCE_INVALID, USAGE, those of {@link pullImage}.
 */
export async function imagePull(options: ImagePullOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const reference = parseReference(options.reference)
  const state: PullState = { options, tools, reference }
  const subject = renderReference(reference)
  tools.emit({ kind: 'run-started', command: 'image pull', subject, steps: steps.map(step => step.name) })
  await runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  const pulled = known(state.pulled)
  const { registry, repository } = reference
  const byDigest = renderReference({ registry, repository, digest: pulled.digest })
  tools.emit({
    kind: 'table',
    title: 'Platforms',
    columns: ['Platform', 'Manifest'],
    rows: pulled.manifests.map(({ platform, digest }) => [renderPlatform(platform), digest]),
  })
  tools.emit({
    kind: 'run-done',
    command: 'image pull',
    changed: !pulled.isUnchanged,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${pulled.isUnchanged ? 'unchanged: ' : ''}${byDigest} is in ${options.folder}`,
    result: { ...pulled, reference: byDigest },
  })
}

async function pull(state: PullState): Promise<Outcome<string>> {
  const { options, tools, reference } = state
  const startedMs = tools.clock.elapsedMs()
  const platforms = options.platforms.map(parsePlatform)
  const pulled = await pullImage(
    {
      reference,
      folder: path.resolve(options.cwd, options.folder),
      plainHttp: options.plainHttp,
      environment: options.environment,
      onProgress: tellBytes(tools, 'pull the image', 'pulling'),
      ...(platforms.length === 0 ? {} : { platforms }),
      ...(options.cacheFolder === undefined ? {} : { cacheFolder: options.cacheFolder }),
    },
    registryTools(tools),
  )
  state.pulled = pulled
  if (pulled.isUnchanged) return skipped('UNCHANGED', 'the folder holds all of it')
  const totalBytes = pulled.blobs.reduce((total, { sizeBytes }) => total + sizeBytes, 0)
  const there = totalBytes - pulled.fetchedBytes
  const rest = there === 0 ? '' : `, ${formatBytes(there)} were there`
  return done(`received ${describeTransfer(pulled.fetchedBytes, tools.clock.elapsedMs() - startedMs)}${rest}`)
}
