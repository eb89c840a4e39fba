import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openOutput } from '../../../src/build/output.ts'
import { writeFiles } from '../../support/git-repository.ts'
import { tempFolder } from '../../support/temp.ts'

describe('openOutput', () => {
  it('begins empty, whatever a killed cut left, and puts the whole folder in its place', async () => {
    const dist = path.join(tempFolder(), 'dist')
    writeFiles(dist, { '.1.0.0.partial/old': '', '.1.0.0.replaced/older': '', '1.0.0/untagged': '' })
    const output = openOutput(dist, '1.0.0')
    expect(fs.readdirSync(output.partial)).toEqual([])
    fs.writeFileSync(path.join(output.partial, 'new'), '')
    expect(fs.readdirSync(output.folder)).toEqual(['untagged'])
    await output.complete()
    expect(fs.readdirSync(dist)).toEqual(['1.0.0'])
    expect(fs.readdirSync(output.folder)).toEqual(['new'])
  })

  it('leaves nothing when it is given up, complete or not', async () => {
    const dist = tempFolder()
    openOutput(dist, '1.0.0').discard()
    expect(fs.readdirSync(dist)).toEqual([])
    const output = openOutput(dist, '1.0.0')
    await output.complete()
    output.discard()
    expect(fs.readdirSync(dist)).toEqual([])
  })
})
