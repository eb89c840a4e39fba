import { ReleaseError } from '../core/error.ts'
import type { ContainerSpec, Mount, ServiceSpec } from './driver.ts'

/** What a container says besides its service. Paths absolute. */
export interface ContainerPlaces {
  readonly container: string
  readonly instance: string
  readonly environmentFile: string
  readonly logFile: string
  /** The port of mode proxy; empty where there is none. */
  readonly port: string
  /** A service goes on in the background; a job is waited for and leaves nothing behind. */
  readonly kind: 'service' | 'job'
}

/**
 * Render the arguments of podman that start a container, in place of any of its name.
 *
 * Nothing secret is among them: the environment comes from a file. Capabilities are dropped but for what the recipe relaxes. Errors:
 * SERVICE_DRIVER_UNSUITABLE for a path that podman cannot be told. Source: podman-run(1).
 */
export function renderPodmanRun(
  spec: ServiceSpec,
  container: ContainerSpec,
  places: ContainerPlaces,
): readonly string[] {
  const { workingDirectory, image, keepsEntrypoint } = container
  return [
    'run',
    places.kind === 'service' ? '--detach' : '--rm',
    '--replace',
    `--name=${places.container}`,
    `--label=dev.cutover.instance=${places.instance}`,
    `--env-file=${places.environmentFile}`,
    ...(places.kind === 'service'
      ? ['--log-driver=k8s-file', `--log-opt=path=${places.logFile}`, '--restart=no']
      : ['--log-driver=none']),
    `--stop-signal=${spec.stopSignal}`,
    `--network=${container.network}`,
    ...(container.network === 'bridge' && places.port !== ''
      ? [`--publish=127.0.0.1:${places.port}:${places.port}`]
      : []),
    ...container.mounts.map(renderMount),
    ...renderAccount(spec),
    ...renderLimits(spec),
    ...(spec.relax.includes('NoNewPrivileges') ? [] : ['--security-opt=no-new-privileges']),
    ...(spec.relax.includes('CapabilityBoundingSet') ? [] : ['--cap-drop=all']),
    ...(workingDirectory === undefined ? [] : [`--workdir=${workingDirectory}`]),
    ...(keepsEntrypoint ? [] : ['--entrypoint=']),
    image,
    ...spec.argv,
  ]
}

function renderMount({ from, to, readOnly }: Mount): string {
  const unsayable = [from, to].find(path => /[,"\u0000-\u001f\u007f]/.test(path))
  if (unsayable === undefined) return `--mount=type=bind,source=${from},target=${to}${readOnly ? ',readonly' : ''}`
  throw new ReleaseError('SERVICE_DRIVER_UNSUITABLE', `podman cannot be told to mount ${JSON.stringify(unsayable)}`, {
    hint: 'use a path without commas, quotes and control characters',
  })
}

function renderAccount({ account }: ServiceSpec): readonly string[] {
  if (account === undefined) return []
  const further = account.groups.filter(gid => gid !== account.gid)
  return [`--user=${account.uid}:${account.gid}`, ...further.map(gid => `--group-add=${gid}`)]
}

/** Once one of its limits is said, podman takes the other for the kernel's largest number, which not every machine allows. */
const plentyOfProcesses = '32768:32768'

function renderLimits({ limits }: ServiceSpec): readonly string[] {
  const { memoryBytes, openFiles, processes, cpu } = limits
  return [
    ...(memoryBytes === undefined ? [] : [`--memory=${memoryBytes}b`]),
    ...(openFiles === undefined
      ? []
      : [`--ulimit=nofile=${openFiles}:${openFiles}`, `--ulimit=nproc=${plentyOfProcesses}`]),
    ...(processes === undefined ? [] : [`--pids-limit=${processes}`]),
    ...(cpu === undefined ? [] : [`--cpus=${cpu}`]),
  ]
}

/** Render variables for podman's --env-file, which takes values as they are, to the end of the line. Errors: SERVICE_DRIVER_UNSUITABLE. */
export function renderPodmanEnvironment(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => {
      if (!/[\0\r\n]/.test(value)) return `${name}=${value}\n`
      throw new ReleaseError('SERVICE_DRIVER_UNSUITABLE', `podman takes no variable of several lines, as ${name} is`, {
        hint: 'give it as a file: `as: file` for a secret, node.files for anything else',
      })
    })
    .join('')
}
