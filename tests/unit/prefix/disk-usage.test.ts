import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { measureUsage } from '../../../src/prefix/disk-usage.ts'
import { tempFolder } from '../../support/temp.ts'

it('counts a file that is linked elsewhere as not freed, until all its links go', () => {
  const folder = tempFolder()
  const at = (name: string) => path.join(folder, name)
  for (const name of ['a', 'b']) fs.mkdirSync(at(name))
  fs.writeFileSync(at('a/own'), 'x'.repeat(10_000))
  fs.writeFileSync(at('a/shared'), 'x'.repeat(100_000))
  fs.linkSync(at('a/shared'), at('b/shared'))
  const one = measureUsage([at('a')])
  const both = measureUsage([at('a'), at('b')])
  expect(one.sizeBytes - one.freedBytes).toBeGreaterThanOrEqual(100_000)
  expect(both.freedBytes).toBe(both.sizeBytes)
  expect(both.sizeBytes).toBeGreaterThan(one.sizeBytes - 100_000)
})

it('follows no link, and takes what is not there for nothing', () => {
  const folder = tempFolder()
  const outside = path.join(tempFolder(), 'large')
  fs.writeFileSync(outside, 'x'.repeat(1_000_000))
  fs.symlinkSync(outside, path.join(folder, 'link'))
  expect(measureUsage([folder]).sizeBytes).toBeLessThan(100_000)
  expect(measureUsage([path.join(folder, 'none'), path.join(outside, 'below')])).toEqual({
    sizeBytes: 0,
    freedBytes: 0,
  })
})
