import type { Digest } from '../core/digest.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { StoredConfig, StoredHistory } from './oci-stored-config.ts'

/** How an image is run. What is absent comes from the base; lists and maps may be empty. */
export interface ImageConfig {
  /** Given, even as an empty list, it also takes away the base's arguments, as Docker does. */
  readonly entrypoint?: readonly string[] | undefined
  readonly cmd?: readonly string[] | undefined
  /** `USER[:GROUP]`, by number unless the base has the names. */
  readonly user?: string | undefined
  /** The payload's root when absent. */
  readonly workingDirectory?: string | undefined
  readonly environment: Readonly<Record<string, string>>
  /** Such as `8080/tcp`. */
  readonly ports: readonly string[]
  readonly volumes: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** The signal that asks it to end; SIGTERM when neither it nor the base names one. */
  readonly stopSignal?: string | undefined
}

/** What a configuration is made for. */
export interface ConfigContext {
  readonly manifest: PayloadManifest
  readonly architecture: string
  /** The digest of the tar that {@link volumesTar} made for it. */
  readonly volumesDiffId?: Digest | undefined
  readonly base?: {
    readonly config: StoredConfig
    /** Its layers, in case it does not say how each came about. */
    readonly layers: readonly { readonly digest: Digest }[]
  }
}

/** Nobody, by number: an image from scratch has no names. */
const unprivilegedUser = '65534:65534'

/**
 * Render an image's configuration for one platform.
 *
 * A base hands on what the recipe does not replace, by the rules of a Dockerfile: variables, ports, volumes and labels one by one, the
 * entry point with its arguments, the user unless it is root, the stop signal, a health check. The working directory is the payload's root.
 * Source: OCI image-spec config.md (diff_ids are digests of uncompressed tars); Dockerfile reference, CMD and ENTRYPOINT.
 */
export function renderConfig(config: ImageConfig, context: ConfigContext): unknown {
  const { manifest, architecture, base } = context
  const inherited = base?.config
  const created = new Date(manifest.sourceDateEpoch * 1000).toISOString()
  const volumes = context.volumesDiffId === undefined ? [] : [context.volumesDiffId]
  const cmd = config.cmd ?? (config.entrypoint === undefined ? inherited?.cmd : undefined)
  return {
    architecture,
    os: 'linux',
    variant: inherited?.variant,
    'os.version': inherited?.osVersion,
    'os.features': inherited?.osFeatures,
    created,
    config: {
      User: effectiveUser(config, inherited),
      WorkingDir: workingDirectory(config, manifest),
      Env: mergedEnvironment(inherited?.environment ?? [], config.environment),
      Entrypoint: present(config.entrypoint ?? inherited?.entrypoint),
      Cmd: present(cmd),
      ExposedPorts: keys([...(inherited?.ports ?? []), ...config.ports]),
      Volumes: keys([...(inherited?.volumes ?? []), ...config.volumes]),
      Labels: { ...inherited?.labels, ...config.labels },
      StopSignal: config.stopSignal ?? inherited?.stopSignal,
      Healthcheck: inherited?.healthcheck,
      Shell: inherited?.shell,
    },
    rootfs: { type: 'layers', diff_ids: [...(inherited?.diffIds ?? []), ...volumes, manifest.tar.digest] },
    history: [...baseHistory(context, created), ...ownHistory(config, context, created)],
  }
}

/** Tell whom an image runs as. A base that runs as root says so or says nothing: whoever wants that writes it into the recipe. */
export function effectiveUser(config: ImageConfig, inherited: StoredConfig | undefined): string {
  if (config.user !== undefined) return config.user
  const user = inherited?.user ?? ''
  return /^(0*|root)(:|$)/.test(user) ? unprivilegedUser : user
}

function workingDirectory(config: ImageConfig, manifest: PayloadManifest): string {
  return config.workingDirectory ?? `/${manifest.root}`
}

/** Replace variables where they stand, and add the others in the order of their names. */
function mergedEnvironment(base: readonly string[], own: Readonly<Record<string, string>>): readonly string[] {
  const values = new Map(base.map(text => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]))
  for (const [name, value] of Object.entries(own).sort()) values.set(name, value)
  return [...values].map(([name, value]) => `${name}=${value}`)
}

/** Every layer has its entry: where a base is silent about one, it is told which it is. */
function baseHistory({ base }: ConfigContext, created: string): readonly StoredHistory[] {
  if (base === undefined) return []
  const { history } = base.config
  if (history.filter(entry => entry.empty_layer !== true).length === base.layers.length) return history
  return base.layers.map(({ digest }) => ({ created, created_by: `base layer ${digest}` }))
}

/** What was done on top of the base, as the lines of a Dockerfile would say it: first the layers, then the settings. */
function ownHistory(config: ImageConfig, context: ConfigContext, created: string): readonly StoredHistory[] {
  const { manifest, base, volumesDiffId } = context
  const { volumes } = config
  const comment = `cutover, ${manifest.name} ${manifest.version}`
  const owner = effectiveUser(config, base?.config)
  const layers = [
    ...(volumesDiffId === undefined ? [] : [`RUN install -d -m 0750 -o ${owner} ${volumes.join(' ')}`]),
    `COPY payload /${manifest.root}`,
  ]
  return [
    ...layers.map(text => ({ created, created_by: text, comment })),
    ...settingLines(config, manifest).map(text => ({ created, created_by: text, comment, empty_layer: true })),
  ]
}

function settingLines(config: ImageConfig, manifest: PayloadManifest): readonly string[] {
  const { environment, ports, volumes, labels, entrypoint, cmd, user, stopSignal } = config
  const pairs = (map: Readonly<Record<string, string>>) =>
    Object.entries(map)
      .sort()
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const lines: Readonly<Record<string, string | undefined>> = {
    LABEL: pairs(labels).join(' '),
    ENV: pairs(environment).join(' '),
    EXPOSE: ports.join(' '),
    VOLUME: volumes.length === 0 ? undefined : JSON.stringify(volumes),
    WORKDIR: workingDirectory(config, manifest),
    USER: user,
    STOPSIGNAL: stopSignal,
    ENTRYPOINT: entrypoint && JSON.stringify(entrypoint),
    CMD: cmd && JSON.stringify(cmd),
  }
  return Object.entries(lines).flatMap(([instruction, text]) => (text ? [`${instruction} ${text}`] : []))
}

function present(list: readonly string[] | undefined): readonly string[] | undefined {
  return list === undefined || list.length === 0 ? undefined : list
}

/** A set, as Go writes one in JSON. */
function keys(names: readonly string[]): Readonly<Record<string, object>> | undefined {
  return names.length === 0 ? undefined : Object.fromEntries(names.map(name => [name, {}]))
}
