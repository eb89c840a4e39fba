import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { ServiceSpec } from './driver.ts'

/**
 * Find the executable of a service as its own environment would, for those who take absolute paths only.
 *
 * Errors: SERVICE_START_FAILED when there is none, SERVICE_DRIVER_UNSUITABLE for a container.
 */
export function findExecutable({ name, argv, cwd, environment, container }: ServiceSpec): readonly string[] {
  const [file, ...args] = argv
  if (file === undefined || container !== undefined)
    throw new ReleaseError('SERVICE_DRIVER_UNSUITABLE', `service ${name} is a container, which takes driver podman`)
  const folders = file.includes('/') ? ['.'] : (environment['PATH'] ?? '').split(':').filter(folder => folder !== '')
  const found = folders.map(folder => path.resolve(cwd, folder, file)).find(isExecutable)
  if (found !== undefined) return [found, ...args]
  throw new ReleaseError('SERVICE_START_FAILED', `service ${name} cannot be started: ${file} is no executable`, {
    details: { command: file, cwd },
  })
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK)
    return fs.statSync(file).isFile()
  } catch {
    // Not there or not ours to look at: the next folder may have it.
    return false
  }
}
