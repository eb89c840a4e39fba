import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'

const folders: string[] = []

// Registered once, when the test file is loaded: a hook that is registered while a test runs is never called.
afterAll(() => {
  if (process.env['KEEP_TEMP'] === '1') return
  for (const folder of folders.splice(0).reverse()) removeAll(folder)
})

/**
 * Make a temporary folder that is removed after the test file that asked for it.
 *
 * Post: the path is real (no symbolic link in it). With KEEP_TEMP=1 the folder stays, for looking at.
 */
export function tempFolder(parent = os.tmpdir()): string {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(parent, 'cutover-test-')))
  folders.push(folder)
  return folder
}

const memory = '/dev/shm'
const enoughBytes = 512 * 1024 * 1024

/** Make a temporary folder in memory, where there is some: for what is written often and has to survive nothing. */
export function memoryFolder(): string {
  try {
    const { bavail, bsize } = fs.statfsSync(memory)
    return bavail * bsize < enoughBytes ? tempFolder() : tempFolder(memory)
  } catch {
    return tempFolder()
  }
}

function removeAll(folder: string): void {
  // A test may take it away itself, to see what happens.
  if (!fs.existsSync(folder)) return
  assertNothingMounted(folder)
  openFolders(folder)
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** Releases are read-only on purpose; only root could remove them as they are. Links are not followed, which readdir's own recursion does. */
function openFolders(folder: string): void {
  fs.chmodSync(folder, 0o700)
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) openFolders(path.join(folder, entry.name))
  }
}

/** What is mounted below is not ours to remove. */
function assertNothingMounted(folder: string): void {
  const mounted = fs.readFileSync('/proc/self/mounts', 'utf8').split('\n')
  const left = mounted.map(line => line.split(' ')[1] ?? '').find(place => place.startsWith(`${folder}/`))
  if (left !== undefined) throw new Error(`the test left ${left} mounted`)
}
