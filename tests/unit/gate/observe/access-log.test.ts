import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { AccessLog } from '../../../../src/gate/observe/access-log.ts'
import { tempFolder } from '../../../support/temp.ts'
import { record } from './samples.ts'

const lines = (file: string) => fs.readFileSync(file, 'utf8').split('\n').slice(0, -1)

it('has written all when it is closed, for nobody but its owner and group', () => {
  const file = path.join(tempFolder(), 'access.log')
  const log = new AccessLog(file, 'combined')
  for (let count = 0; count < 1000; count += 1) log.finished(record({ target: `/${count}` }))
  log.close()
  expect(lines(file)).toHaveLength(1000)
  expect(lines(file)[999]).toContain('"GET /999 ')
  expect(fs.statSync(file).mode & 0o777).toBe(0o640)
})

it('goes on in a new file once the old one was moved away', () => {
  const file = path.join(tempFolder(), 'access.log')
  const log = new AccessLog(file, 'json')
  log.finished(record({ target: '/old' }))
  fs.renameSync(file, `${file}.1`)
  log.reopen()
  log.finished(record({ target: '/new' }))
  log.close()
  expect(lines(`${file}.1`).map(line => JSON.parse(line).target)).toEqual(['/old'])
  expect(lines(file).map(line => JSON.parse(line).target)).toEqual(['/new'])
})

it('loses lines and no request when the disk is full', () => {
  const log = new AccessLog('/dev/full', 'combined')
  log.finished(record())
  log.finished(record())
  log.close()
  expect(log.lost).toBe(2)
})
