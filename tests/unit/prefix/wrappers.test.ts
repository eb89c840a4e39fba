import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { prefixPaths } from '../../../src/prefix/layout.ts'
import { makeFolders } from '../../../src/prefix/make.ts'
import { wrapperNames, writeWrappers } from '../../../src/prefix/wrappers.ts'
import { tempFolder } from '../../support/temp.ts'

it('runs cutover for its prefix, from anywhere and through a link, with arguments as they are', () => {
  const base = tempFolder()
  const paths = prefixPaths(path.join(base, "it's a prefix"))
  makeFolders(paths)
  const program = path.join(base, 'cut over')
  fs.writeFileSync(program, '#!/bin/sh\nfor word in "$@"; do echo "[$word]"; done\n', { mode: 0o755 })
  writeWrappers(paths, ['/bin/sh', program])
  const link = path.join(base, 'link')
  fs.symlinkSync(path.join(paths.bin, 'gate'), link)
  const said = execFileSync(link, ['status', 'two words', "it's"], { cwd: '/', encoding: 'utf8' })
  expect(said).toBe(`[gate]\n[status]\n[two words]\n[it's]\n[--prefix]\n[${paths.root}]\n`)
})

it('writes only what is not there in this form', () => {
  const paths = prefixPaths(tempFolder())
  makeFolders(paths)
  expect(writeWrappers(paths, ['/usr/bin/cutover'])).toEqual(wrapperNames)
  expect(writeWrappers(paths, ['/usr/bin/cutover'])).toEqual([])
  expect(writeWrappers(paths, ['/opt/cutover'])).toEqual(wrapperNames)
})
