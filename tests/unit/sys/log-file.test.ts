import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { appendLogLine, rotateLog } from '../../../src/sys/log-file.ts'
import { tempFolder } from '../../support/temp.ts'

it('moves a log aside when it has grown, and its writer goes on at the new end', () => {
  const file = path.join(tempFolder(), 'web.log')
  const writer = fs.openSync(file, 'a')
  fs.writeSync(writer, 'x'.repeat(100))
  rotateLog(file, 100)
  expect(fs.existsSync(`${file}.1`)).toBe(false)
  fs.writeSync(writer, 'y')
  rotateLog(file, 100)
  fs.writeSync(writer, 'new')
  fs.closeSync(writer)
  expect(fs.readFileSync(`${file}.1`, 'utf8')).toBe(`${'x'.repeat(100)}y`)
  expect(fs.readFileSync(file, 'utf8')).toBe('new')
})

it('has nothing to do where there is no log', () => {
  rotateLog(path.join(tempFolder(), 'web.log'), 1)
})

it('adds a line of our own with the time', () => {
  const file = path.join(tempFolder(), 'web.log')
  appendLogLine(file, 0, 'started')
  expect(fs.readFileSync(file, 'utf8')).toBe('1970-01-01T00:00:00.000Z cutover: started\n')
})
