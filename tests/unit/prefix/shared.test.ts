import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { prefixPaths, releasePaths } from '../../../src/prefix/layout.ts'
import { makeShared } from '../../../src/prefix/shared.ts'
import { tempFolder } from '../../support/temp.ts'

const request = { version: '1.0.0', environment: 'production', account: undefined }

it('makes folders, and files from templates once', () => {
  const paths = prefixPaths(tempFolder())
  const { root } = releasePaths(paths, '1.0.0')
  fs.mkdirSync(root, { recursive: true })
  fs.writeFileSync(path.join(root, 'toy.ini.template'), 'port=${PORT}\n')
  const node = {
    shared: ['data/db'],
    files: [
      { path: 'etc/toy.ini', template: 'toy.ini.template', mode: '0640' },
      { path: 'own/by-hand.ini', mode: '0640' },
    ],
  }
  const make = (PORT: string) => makeShared({ ...request, paths, node, values: { PORT } })
  expect(make('1')).toEqual(['etc/toy.ini'])
  expect(make('2')).toEqual([])
  const file = path.join(paths.shared, 'etc/toy.ini')
  expect(fs.readFileSync(file, 'utf8')).toBe('port=1\n')
  expect(fs.statSync(file).mode & 0o777).toBe(0o640)
  expect(fs.statSync(path.join(paths.shared, 'data/db')).isDirectory()).toBe(true)
  expect(fs.readdirSync(path.join(paths.shared, 'own'))).toEqual([])
})

it('tells the template that uses what has no value, and writes nothing', () => {
  const paths = prefixPaths(tempFolder())
  const { root } = releasePaths(paths, '1.0.0')
  fs.mkdirSync(root, { recursive: true })
  fs.writeFileSync(path.join(root, 'a.template'), '${NOPE}')
  const node = { shared: [], files: [{ path: 'a', template: 'a.template', mode: '0640' }] }
  expect(() => makeShared({ ...request, paths, node, values: {} })).toThrow(
    expect.objectContaining({ code: 'RECIPE_PLACEHOLDER' }),
  )
  expect(fs.readdirSync(paths.shared)).toEqual([])
})
