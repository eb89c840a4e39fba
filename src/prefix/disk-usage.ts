import fs from 'node:fs'
import path from 'node:path'
import { isErrno, toReleaseError } from '../core/error.ts'

/** What some files and folders take on disk. Units: bytes, in whole blocks. */
export interface DiskUsage {
  readonly sizeBytes: number
  /** What is freed when all of them go: a file that has a hard link elsewhere stays. */
  readonly freedBytes: number
}

/** Measure files and folders with all below them, without following links. What is not there takes nothing. Errors: FILE_IO. */
export function measureUsage(places: readonly string[]): DiskUsage {
  const linked = new Map<string, { readonly sizeBytes: number; readonly links: number; seen: number }>()
  let freedBytes = 0
  const walk = (place: string) => {
    const stat = lstat(place)
    if (stat === undefined) return
    const sizeBytes = stat.blocks * 512
    if (stat.isDirectory()) for (const name of fs.readdirSync(place)) walk(path.join(place, name))
    if (stat.isDirectory() || stat.nlink === 1) {
      freedBytes += sizeBytes
      return
    }
    const key = `${stat.dev}:${stat.ino}`
    const known = linked.get(key) ?? { sizeBytes, links: stat.nlink, seen: 0 }
    known.seen += 1
    linked.set(key, known)
  }
  for (const place of places) walk(place)
  let sizeBytes = freedBytes
  for (const file of linked.values()) {
    sizeBytes += file.sizeBytes
    if (file.seen === file.links) freedBytes += file.sizeBytes
  }
  return { sizeBytes, freedBytes }
}

function lstat(place: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(place, { throwIfNoEntry: false })
  } catch (caught) {
    if (isErrno(caught, 'ENOTDIR')) return undefined
    throw toReleaseError(caught)
  }
}
