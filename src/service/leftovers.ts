import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { listFiles, readTextIfExists, removeFile, writeFileAtomic } from '../sys/files.ts'
import { endLeftover, identifyProcess, type ProcessIdentity } from '../sys/process.ts'
import type { DriverKind, ServiceSpec } from './driver.ts'

/** What ending a service takes, whoever runs it. */
export type StoppingService = Pick<ServiceSpec, 'name' | 'stopSignal' | 'stopTimeoutMs'>

/** Who runs services besides ourselves. */
export type ManagerKind = Exclude<DriverKind, 'embedded'>

/** What is kept about a service, so that a later process can end it when ours was killed, or take it over. */
type ServiceRecord = StoppingService & { readonly schema: 1 } & (
    | ({ readonly manager?: undefined } & ProcessIdentity)
    | { readonly manager: ManagerKind }
  )

const recordFile = (runFolder: string, name: string) => path.join(runFolder, `service-${name}.json`)

/** Remember the process of a service. Crash: killed between its start and this, it is not found again. */
export function rememberProcess(runFolder: string, service: StoppingService, pid: number): void {
  const identity = identifyProcess(pid)
  if (identity !== undefined) write(runFolder, { ...recordOf(service), ...identity })
}

/** Remember that a service is about to be run by a manager, where it is found by its name. */
export function rememberManaged(runFolder: string, service: StoppingService, manager: ManagerKind): void {
  write(runFolder, { ...recordOf(service), manager })
}

function recordOf({ name, stopSignal, stopTimeoutMs }: StoppingService) {
  return { schema: 1, name, stopSignal, stopTimeoutMs } as const
}

function write(runFolder: string, record: ServiceRecord): void {
  // Not synced: after power loss there is no process to find.
  writeFileAtomic(recordFile(runFolder, record.name), `${JSON.stringify(record)}\n`, { durable: false })
}

/** Find the process of a service that an earlier serving process started and let go of. Errors: SERVICE_ADOPT_FAILED. */
export function findProcess(runFolder: string, name: string): StoppingService & ProcessIdentity {
  const record = readRecord(recordFile(runFolder, name))
  if (record !== undefined && record.manager === undefined) return record
  throw adoptFailed(runFolder, name)
}

/** Find a service that an earlier serving process had a manager run and let go of. Errors: SERVICE_ADOPT_FAILED. */
export function findManaged(runFolder: string, name: string, manager: ManagerKind): StoppingService {
  const record = readRecord(recordFile(runFolder, name))
  if (record?.manager === manager) return record
  throw adoptFailed(runFolder, name)
}

function adoptFailed(runFolder: string, name: string): ReleaseError {
  return new ReleaseError('SERVICE_ADOPT_FAILED', `nothing is known of a service ${name} that runs`, {
    details: { service: name, path: recordFile(runFolder, name) },
  })
}

/** Forget a service that has ended. */
export function forgetService(runFolder: string, name: string): void {
  removeFile(recordFile(runFolder, name))
}

/**
 * End the services that an earlier serving process left running when it was killed; processes that only have the number are left alone.
 *
 * Those of a manager are ended by `stopManaged`. Post: the names of those that were ended.
 */
export async function endLeftovers(
  runFolder: string,
  stopManaged: (manager: ManagerKind, service: StoppingService) => Promise<void>,
): Promise<readonly string[]> {
  const records = listFiles(runFolder)
    .filter(name => /^service-.+\.json$/.test(name))
    .map(name => readRecord(path.join(runFolder, name)))
  const ended = await Promise.all(
    records.map(async record => {
      if (record === undefined) return undefined
      const isEnded = await endRecorded(record, stopManaged)
      forgetService(runFolder, record.name)
      return isEnded ? record.name : undefined
    }),
  )
  return ended.filter(name => name !== undefined)
}

async function endRecorded(record: ServiceRecord, stopManaged: Parameters<typeof endLeftovers>[1]): Promise<boolean> {
  if (record.manager === undefined)
    return endLeftover(record, { signal: record.stopSignal, timeoutMs: record.stopTimeoutMs })
  await stopManaged(record.manager, record)
  return true
}

function readRecord(file: string): ServiceRecord | undefined {
  try {
    const value = JSON.parse(readTextIfExists(file) ?? '') as Readonly<Record<string, unknown>> | null
    const isWhole =
      value?.['schema'] === 1 && typeof value['name'] === 'string' && (isManaged(value) || isProcess(value))
    return isWhole ? (value as unknown as ServiceRecord) : undefined
  } catch (caught) {
    // A record that was cut short by a crash of the machine names a process that is gone with it.
    if (caught instanceof SyntaxError) return undefined
    throw caught
  }
}

function isManaged({ manager }: Readonly<Record<string, unknown>>): boolean {
  return manager === 'systemd' || manager === 'supervisor' || manager === 'podman'
}

function isProcess({ pid, startTicks, bootId }: Readonly<Record<string, unknown>>): boolean {
  return (
    Number.isSafeInteger(pid) && (pid as number) > 1 && typeof startTicks === 'string' && typeof bootId === 'string'
  )
}
