import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll } from 'vitest'

/**
 * Make a temporary folder that is removed after the test file (or the `describe` block) that asked for it.
 *
 * Post: the path is real (no symbolic link in it). With KEEP_TEMP=1 the folder stays, for looking at.
 */
export function tempFolder(): string {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-test-')))
  afterAll(() => {
    if (process.env['KEEP_TEMP'] !== '1') removeAll(folder)
  })
  return folder
}

function removeAll(folder: string): void {
  // Releases are read-only on purpose; only root could remove them as they are.
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isDirectory()) fs.chmodSync(path.join(entry.parentPath, entry.name), 0o700)
  }
  fs.rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
