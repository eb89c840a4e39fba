import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createDelta } from '../../src/payload/delta/create.ts'
import { codeOfAsync } from '../support/codes.ts'
import { applied, filesBelow, sidesOf, testDelta } from '../support/delta.ts'
import { noise } from '../support/payload.ts'
import { tempFolder } from '../support/temp.ts'

const disk = tempFolder()
const isMounted = mountDisk()
afterAll(() => {
  if (isMounted) execFileSync('umount', [disk])
})

describe.skipIf(!isMounted)('a disk that fills up', () => {
  it('while a delta pack is made leaves nothing of it', async () => {
    for (const [oldBytes, newBytes] of [
      // The old file does not fit, the new one, the pieces, the pack beside them.
      [2_000_000, 1000],
      [1000, 2_000_000],
      [1000, 700_000],
      [1000, 400_000],
    ] as const) {
      const made = await testDelta({ file: noise(oldBytes) }, { file: noise(newBytes, 2) })
      const file = path.join(disk, 'delta')
      expect(await codeOfAsync(createDelta({ ...sidesOf(made), file }))).toBe('FILE_NO_SPACE')
      expect(fs.readdirSync(disk)).toEqual([])
    }
  })

  it('while one is applied leaves whole files only', async () => {
    const next = { 'a/small': 'x', 'b/large': noise(2_000_000, 2) }
    const made = await testDelta({ 'b/large': noise(1000) }, next)
    expect(await codeOfAsync(applied(made, made.file, disk))).toBe('FILE_NO_SPACE')
    expect(filesBelow(disk)).toEqual(['a/small'])
  })
})

function mountDisk(): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'ignore' })
    return true
  } catch {
    // Not root, or a container that may not mount.
    return false
  }
}
