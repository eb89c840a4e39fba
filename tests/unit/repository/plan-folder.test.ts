import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { pointer } from '../../../src/repository/document.ts'
import { type PublishPlan, planPublication } from '../../../src/repository/plan.ts'
import { dropPlan, generatedFile, loadPlan, storePlan, uploadFolder } from '../../../src/repository/plan-folder.ts'
import { tempFolder } from '../../support/temp.ts'

const documents = [
  pointer('index.html', 'entrance', 'text/html'),
  pointer('metadata/timestamp.json', '{}', 'application/json'),
]
const recordDigest = digestOf('record')
const plan: PublishPlan = {
  schema: 1,
  application: 'notes',
  version: '1.0.0',
  recordDigest,
  channels: ['stable'],
  madeAtMs: 1,
  ...planPublication({ base: undefined, files: [], documents, current: new Map(), sweep: [] }),
}
let folder: string

beforeEach(() => {
  folder = tempFolder()
  storePlan(folder, plan, documents)
})

describe('a stored plan', () => {
  it('is loaded with the bytes that it generated', () => {
    expect(loadPlan(folder, recordDigest)).toEqual(plan)
    expect(fs.readFileSync(generatedFile(folder, digestOf('entrance')), 'utf8')).toBe('entrance')
  })

  it('is of one record only', () => {
    expect(loadPlan(folder, digestOf('another'))).toBeUndefined()
  })

  it('counts for nothing when it is cut at any byte', () => {
    const file = path.join(folder, 'plan.json')
    const whole = fs.readFileSync(file)
    // The last byte is the line break behind the closing brace.
    for (let sizeBytes = 0; sizeBytes < whole.byteLength - 1; sizeBytes += 1) {
      fs.writeFileSync(file, whole.subarray(0, sizeBytes))
      expect(loadPlan(folder, recordDigest)).toBeUndefined()
    }
  })

  it('counts for nothing without its bytes', () => {
    fs.rmSync(generatedFile(folder, digestOf('entrance')))
    expect(loadPlan(folder, recordDigest)).toBeUndefined()
  })

  it('is forgotten when it was overtaken', () => {
    dropPlan(folder)
    expect(loadPlan(folder, recordDigest)).toBeUndefined()
  })

  it('has a folder for each place, whatever the place is called', () => {
    const places = ['/srv/www', '/srv-www', 's3://bucket/a?region=x', 's3://bucket/a?region=y', '../..', '.']
    const folders = places.map(place => uploadFolder('/dist/1.0.0', place))
    expect(new Set(folders).size).toBe(places.length)
    for (const each of folders) expect(path.dirname(each)).toBe('/dist/1.0.0/upload')
  })

  it('takes the place of the one before', () => {
    storePlan(folder, { ...plan, madeAtMs: 2, phases: [] }, [])
    expect(loadPlan(folder, recordDigest)?.madeAtMs).toBe(2)
    expect(fs.existsSync(generatedFile(folder, digestOf('entrance')))).toBe(false)
  })
})
