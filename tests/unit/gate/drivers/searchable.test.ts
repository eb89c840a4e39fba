import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { assertSearchable } from '../../../../src/gate/drivers/searchable.ts'
import { tempFolder } from '../../../support/temp.ts'

const own = { uid: process.geteuid!(), gid: process.getegid!() }
/** Nobody of this machine. */
const stranger = { uid: 65_530, gid: 65_530, groups: [65_530] }
const member = { ...stranger, groups: [65_530, own.gid] }
const refusal = expect.objectContaining({ code: 'GATE_SERVER_REFUSED' })

function folderWith(mode: number): string {
  const above = tempFolder()
  fs.chmodSync(above, 0o711)
  const folder = path.join(above, 'waiting')
  fs.mkdirSync(folder)
  fs.chmodSync(folder, mode)
  return folder
}

it('lets the group in where it may search, and nobody else', () => {
  const folder = folderWith(0o710)
  expect(() => assertSearchable(folder, member)).not.toThrow()
  expect(() => assertSearchable(folder, stranger)).toThrowError(refusal)
})

it('lets the first class decide that fits', () => {
  expect(() => assertSearchable(folderWith(0o701), stranger)).not.toThrow()
  expect(() => assertSearchable(folderWith(0o701), member)).toThrowError(refusal)
})

it('looks at every folder on the way', () => {
  const folder = folderWith(0o755)
  fs.chmodSync(path.dirname(folder), 0o700)
  expect(() => assertSearchable(folder, stranger)).toThrowError(refusal)
  expect(() => assertSearchable(folder, { uid: 0, gid: 0, groups: [] })).not.toThrow()
})
