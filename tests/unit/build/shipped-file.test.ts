import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { readShippedFile } from '../../../src/build/shipped-file.ts'
import { tempFolder } from '../../support/temp.ts'

let checkout: string

beforeAll(() => {
  const folder = tempFolder()
  checkout = path.join(folder, 'checkout')
  fs.mkdirSync(path.join(checkout, 'inner'), { recursive: true })
  fs.writeFileSync(path.join(checkout, 'inner/file'), 'content')
  fs.writeFileSync(path.join(folder, 'secret'), 'secret')
  fs.symlinkSync('inner/file', path.join(checkout, 'link'))
  fs.symlinkSync('../secret', path.join(checkout, 'out'))
  fs.symlinkSync('/etc', path.join(checkout, 'etc'))
  fs.symlinkSync('loop', path.join(checkout, 'loop'))
})

it.each(['inner/file', 'link'])('reads %s', from => {
  expect(readShippedFile(checkout, from).toString()).toBe('content')
})

it.each([
  ['a link that leads out', 'out', 'PATH_UNSAFE'],
  ['a folder that leads out', 'etc/passwd', 'PATH_UNSAFE'],
  ['what is not there', 'none', 'BUILD_ENTRY_MISSING'],
  ['a file below a file', 'inner/file/x', 'BUILD_ENTRY_MISSING'],
  ['a link to itself', 'loop', 'BUILD_ENTRY_MISSING'],
  ['a folder', 'inner', 'BUILD_ENTRY_KIND'],
])('refuses %s', (_, from, code) => {
  expect(() => readShippedFile(checkout, from)).toThrow(expect.objectContaining({ code }))
})
