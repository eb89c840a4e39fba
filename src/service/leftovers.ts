import path from 'node:path'
import { listFiles, readTextIfExists, removeFile, writeFileAtomic } from '../sys/files.ts'
import { endLeftover, identifyProcess, type ProcessIdentity } from '../sys/process.ts'
import type { ServiceSpec } from './driver.ts'

/** What is kept about a running service, so that a later process can end it when ours was killed. */
interface ProcessRecord extends ProcessIdentity {
  readonly schema: 1
  readonly name: string
  readonly stopSignal: ServiceSpec['stopSignal']
  readonly stopTimeoutMs: number
}

const recordFile = (runFolder: string, name: string) => path.join(runFolder, `service-${name}.json`)

/** Remember the process of a service. Crash: killed between its start and this, it is not found again. */
export function rememberProcess(runFolder: string, spec: ServiceSpec, pid: number): void {
  const identity = identifyProcess(pid)
  if (identity === undefined) return
  const { name, stopSignal, stopTimeoutMs } = spec
  const record: ProcessRecord = { schema: 1, name, stopSignal, stopTimeoutMs, ...identity }
  // Not synced: after power loss there is no process to find.
  writeFileAtomic(recordFile(runFolder, name), `${JSON.stringify(record)}\n`, { durable: false })
}

/** Forget the process of a service that has ended. */
export function forgetProcess(runFolder: string, name: string): void {
  removeFile(recordFile(runFolder, name))
}

/**
 * End the services that an earlier serving process left running when it was killed; processes that only have the number are left alone.
 *
 * Post: the names of those that were ended.
 */
export async function endLeftovers(runFolder: string): Promise<readonly string[]> {
  const records = listFiles(runFolder)
    .filter(name => /^service-.+\.json$/.test(name))
    .map(name => readRecord(path.join(runFolder, name)))
  const ended = await Promise.all(
    records.map(async record => {
      if (record === undefined) return undefined
      const isEnded = await endLeftover(record, { signal: record.stopSignal, timeoutMs: record.stopTimeoutMs })
      forgetProcess(runFolder, record.name)
      return isEnded ? record.name : undefined
    }),
  )
  return ended.filter(name => name !== undefined)
}

function readRecord(file: string): ProcessRecord | undefined {
  try {
    const value = JSON.parse(readTextIfExists(file) ?? '') as Partial<ProcessRecord> | null
    const isWhole =
      value?.schema === 1 &&
      typeof value.name === 'string' &&
      Number.isSafeInteger(value.pid) &&
      value.pid! > 1 &&
      typeof value.startTicks === 'string' &&
      typeof value.bootId === 'string'
    return isWhole ? (value as ProcessRecord) : undefined
  } catch (caught) {
    // A record that was cut short by a crash of the machine names a process that is gone with it.
    if (caught instanceof SyntaxError) return undefined
    throw caught
  }
}
