import fs from 'node:fs'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { formatBytes } from '../core/quantity.ts'
import type { PayloadManifest } from '../payload/manifest.ts'

/** Room for the journal, setup and what file systems need themselves. */
const reserveBytes = 4 * 1024 * 1024
const blockBytes = 4096
const reserveFiles = 64

/** What has to fit on a file system. Units: bytes; `files` counts folders and links as well. */
export interface NeededSpace {
  readonly sizeBytes: number
  readonly files: number
}

/**
 * Work out how much room a release takes: its files in whole blocks, a twentieth more for names, and a reserve. Pure.
 *
 * `placed` are the paths of files that are on the file system already and get another name: they take no room. `besidesBytes` is what else
 * is kept meanwhile.
 */
export function neededSpace(manifest: PayloadManifest, placed: ReadonlySet<string>, besidesBytes = 0): NeededSpace {
  let sizeBytes = inBlocks(besidesBytes)
  let files = 0
  for (const entry of manifest.files) {
    if (placed.has(entry.path)) continue
    files += 1
    if (entry.type === 'file') sizeBytes += inBlocks(entry.sizeBytes)
    if (entry.type === 'directory') sizeBytes += blockBytes
  }
  return { sizeBytes: Math.ceil(sizeBytes * 1.05) + reserveBytes, files: files + reserveFiles }
}

function inBlocks(sizeBytes: number): number {
  return Math.ceil(sizeBytes / blockBytes) * blockBytes
}

/** Refuse to begin what the file system of a folder has no room for. Errors: FILE_NO_SPACE, FILE_IO. */
export function assertSpace(folder: string, needed: NeededSpace): void {
  const { bavail, bsize, files, ffree } = statfs(folder)
  const freeBytes = bavail * bsize
  if (freeBytes < needed.sizeBytes) {
    throw noSpace(folder, `${formatBytes(freeBytes)} free, expected at least ${formatBytes(needed.sizeBytes)}`)
  }
  // Some file systems have no fixed number of files and say 0.
  if (files > 0 && ffree < needed.files) throw noSpace(folder, `room for ${ffree} files, expected ${needed.files}`)
}

function statfs(folder: string): fs.StatsFs {
  try {
    return fs.statfsSync(folder)
  } catch (caught) {
    throw toReleaseError(caught)
  }
}

function noSpace(folder: string, why: string): ReleaseError {
  return new ReleaseError('FILE_NO_SPACE', `${folder} has ${why}`, { details: { path: folder } })
}
