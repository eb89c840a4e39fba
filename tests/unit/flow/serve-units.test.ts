import fs from 'node:fs'
import { expect, it } from 'vitest'
import { serveUnits } from '../../../src/flow/serve-units.ts'
import { tempFolder } from '../../support/temp.ts'
import { toyPrefix } from '../../support/toy-prefix.ts'

it('opens no public socket where the one of another server is public', () => {
  const prefix = toyPrefix(tempFolder(), { mode: 'proxy', gate: { mode: 'haproxy', listen: '127.0.0.1:8080' } })
  prefix.addRelease('1.0.0')
  prefix.switchTo('1.0.0')
  const write = (folder: string, withSocket: boolean) =>
    serveUnits({ prefix: prefix.root, folder, withSocket, listen: undefined }, { emit: () => {} })
  const folder = tempFolder()
  expect(() => write(folder, true)).toThrowError(expect.objectContaining({ code: 'GATE_SERVER_SETTINGS' }))
  expect(fs.readdirSync(folder)).toEqual([])
  write(folder, false)
  expect(fs.readdirSync(folder)).toHaveLength(1)
})
