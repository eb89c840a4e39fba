import type { DriverPlaces, ServiceSpec } from '../../src/service/driver.ts'
import { systemClock } from '../../src/sys/clock.ts'

/** Make what is started of a service, without anything special unless a test says so. */
export function serviceSpec(changes: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name: 'web',
    argv: ['/bin/true'],
    cwd: '/',
    environment: { PATH: process.env['PATH']! },
    listens: false,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 1000,
    notifies: false,
    limits: { memoryBytes: undefined, openFiles: undefined, processes: undefined, cpu: undefined },
    account: undefined,
    relax: [],
    container: undefined,
    ...changes,
  }
}

/** Name the places of a driver, all in one folder. */
export function driverPlaces(folder: string, changes: Partial<DriverPlaces> = {}): DriverPlaces {
  return {
    instance: 'cutover-test',
    root: folder,
    runFolder: folder,
    logFolder: folder,
    clock: systemClock,
    environment: process.env,
    inheritedNames: [],
    ...changes,
  }
}
