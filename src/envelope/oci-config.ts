import type { PayloadManifest } from '../payload/manifest.ts'

/** How an image is run. Lists and maps may be empty. */
export interface ImageConfig {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  /** `UID:GID`, for an image from scratch has no names. */
  readonly user: string
  /** The payload's root when absent. */
  readonly workingDirectory?: string
  readonly environment: Readonly<Record<string, string>>
  readonly ports: readonly number[]
  readonly volumes: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** The signal that asks it to end; SIGTERM when absent. */
  readonly stopSignal?: string
}

/**
 * Render an image's configuration for one architecture.
 *
 * Source: OCI image-spec config.md: diff_ids are digests of uncompressed tars.
 */
export function renderConfig(config: ImageConfig, manifest: PayloadManifest, architecture: string): unknown {
  const created = new Date(manifest.sourceDateEpoch * 1000).toISOString()
  return {
    architecture,
    os: 'linux',
    created,
    config: {
      User: config.user,
      WorkingDir: config.workingDirectory ?? `/${manifest.root}`,
      Env: Object.entries(config.environment)
        .map(([name, value]) => `${name}=${value}`)
        .sort(),
      Entrypoint: present(config.entrypoint),
      Cmd: present(config.cmd),
      ExposedPorts: keys(config.ports.map(port => `${port}/tcp`)),
      Volumes: keys(config.volumes),
      Labels: config.labels,
      StopSignal: config.stopSignal,
    },
    rootfs: { type: 'layers', diff_ids: [manifest.tar.digest] },
    history: [{ created, created_by: 'cutover', comment: `${manifest.name} ${manifest.version}` }],
  }
}

function present(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list
}

/** A set, as Go writes one in JSON. */
function keys(names: readonly string[]): Readonly<Record<string, object>> | undefined {
  return names.length === 0 ? undefined : Object.fromEntries(names.map(name => [name, {}]))
}
