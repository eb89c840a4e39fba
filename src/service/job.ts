import { ReleaseError } from '../core/error.ts'
import { appendLogLine, readLastLines } from '../sys/log-file.ts'
import { describeExit, type RunningProcess, signalGroup, startProcess } from '../sys/process.ts'
import type { DriverPlaces, ServiceSpec } from './driver.ts'
import { prepareContainer } from './drivers/podman.ts'
import { launchService } from './launch.ts'
import { forgetService, rememberProcess } from './leftovers.ts'
import { logFileOf } from './log.ts'

/** Something that runs once, before or after the start of a service: the service with another command. */
export interface ServiceJob {
  /** Such as `before[0]`. */
  readonly place: string
  readonly spec: ServiceSpec
  readonly timeoutMs: number
}

const logLines = 8

/**
 * Run a job to its end, as the service's user and, where the service is a container, in one of the same image.
 *
 * Its output goes to the service's log. Errors: SERVICE_JOB_FAILED with the last lines of that (exit code, signal, too late, told to
 * end), SERVICE_START_FAILED. Crash: the next serving process ends it as it ends services.
 */
export async function runJob(job: ServiceJob, places: DriverPlaces, signal: AbortSignal): Promise<void> {
  const logFile = logFileOf(places, job.spec.name)
  const key = `${job.spec.name}:job`
  appendLogLine(logFile, places.clock.nowMs(), `job ${job.place}`)
  const started = await startJob(job, places, logFile)
  rememberProcess(places.runFolder, { ...job.spec, name: key }, started.process.pid)
  try {
    const problem = await endOf(started.process, job.timeoutMs, signal)
    if (problem === undefined) return
    await started.remove()
    throw jobFailed(job, problem, readLastLines(logFile, logLines))
  } finally {
    started.done()
    forgetService(places.runFolder, key)
  }
}

async function startJob({ spec }: ServiceJob, places: DriverPlaces, logFile: string) {
  const { cwd, container } = spec
  if (container === undefined) {
    const process = await startProcess({ ...launchService(spec), cwd, logFile, handed: [] })
    return { process, done: () => {}, remove: async () => {} }
  }
  // No service has an underscore in its name.
  const { argv, done, remove } = prepareContainer(
    places,
    { ...spec, name: `${spec.name}_job` },
    { kind: 'job', port: '' },
  )
  const environment = Object.fromEntries(
    Object.entries(places.environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
  return { process: await startProcess({ argv, environment, cwd, logFile, handed: [] }), done, remove }
}

/** Wait for a job. Post: undefined when all is well, else what is not. */
async function endOf(process: RunningProcess, timeoutMs: number, signal: AbortSignal): Promise<string | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const kill = () => signalGroup(process.pid, 'SIGKILL')
  if (limit.aborted) kill()
  else limit.addEventListener('abort', kill, { once: true })
  const exit = await process.exited
  limit.removeEventListener('abort', kill)
  // Its children end with it.
  kill()
  if (exit.exitCode === 0) return undefined
  if (!limit.aborted) return `ended: ${describeExit(exit)}`
  return signal.aborted ? 'was told to end' : `did not end within ${timeoutMs} ms`
}

function jobFailed({ place, spec }: ServiceJob, problem: string, log: readonly string[]): ReleaseError {
  return new ReleaseError('SERVICE_JOB_FAILED', [`job ${place} of ${spec.name} ${problem}`, ...log].join('\n'), {
    details: { service: spec.name, job: place, problem },
  })
}
