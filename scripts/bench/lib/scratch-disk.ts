import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** A folder to measure in, and what it is on. */
export interface ScratchDisk {
  readonly folder: string
  readonly kind: string
  readonly close: () => void
}

/**
 * Make an empty folder to measure file operations in: for root on a new journalled ext4 in a sparse file, else below TMPDIR.
 *
 * A root disk's file system is erratic: without a journal, files that are made soon after others were deleted take twenty times as long.
 */
export function openScratchDisk(): ScratchDisk {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
  // Services of another user are started from below it.
  fs.chmodSync(folder, 0o755)
  const remove = () => fs.rmSync(folder, { recursive: true, force: true })
  if (process.getuid!() !== 0) return { folder, kind: `a folder below ${os.tmpdir()}`, close: remove }
  const image = `${folder}.img`
  run('truncate', '-s', '12G', image)
  run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image)
  run('mount', '-o', 'loop', image, folder)
  return {
    folder,
    kind: 'a new ext4 on a loop device',
    close: () => {
      run('umount', folder)
      fs.rmSync(image, { force: true })
      remove()
    },
  }
}

function run(file: string, ...args: string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}
