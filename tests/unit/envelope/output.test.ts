import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { OutputFile } from '../../../src/envelope/output.ts'
import { noise } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

describe('OutputFile', () => {
  it('has no file under its name before it is finished', () => {
    const file = path.join(tempFolder(), 'out')
    const output = new OutputFile(file)
    output.write(Buffer.from('abc'))
    expect(fs.existsSync(file)).toBe(false)
    expect(output.finish()).toEqual({ sizeBytes: 3, digest: digestOf('abc') })
    expect(fs.readdirSync(path.dirname(file))).toEqual(['out'])
  })

  it.each(['copy', 'copyLong'] as const)('copies a stretch of another file (%s)', async how => {
    const folder = tempFolder()
    const bytes = noise(3 * 1024 * 1024 + 17)
    fs.writeFileSync(path.join(folder, 'from'), bytes)
    const output = new OutputFile(path.join(folder, 'to'))
    await output[how](path.join(folder, 'from'), 5, bytes.byteLength - 9)
    expect(output.finish().digest).toBe(digestOf(bytes.subarray(5, -4)))
    expect(fs.readFileSync(path.join(folder, 'to')).equals(bytes.subarray(5, -4))).toBe(true)
  })

  it.each(['copy', 'copyLong'] as const)(
    'fails when the other file is shorter, and leaves nothing after discarding (%s)',
    async how => {
      const folder = tempFolder()
      fs.writeFileSync(path.join(folder, 'from'), 'abc')
      const output = new OutputFile(path.join(folder, 'to'))
      await expect((async () => output[how](path.join(folder, 'from'), 1, 3))()).rejects.toEqual(
        expect.objectContaining({ code: 'ENVELOPE_MISMATCH' }),
      )
      output.discard()
      expect(fs.readdirSync(folder)).toEqual(['from'])
    },
  )

  it('keeps what was finished when it is discarded afterwards', () => {
    const file = path.join(tempFolder(), 'out')
    const output = new OutputFile(file)
    output.write(Buffer.from('abc'))
    output.finish()
    output.discard()
    expect(fs.readFileSync(file, 'utf8')).toBe('abc')
  })

  it('says which folder is not there', () => {
    expect(() => new OutputFile(path.join(tempFolder(), 'no/out'))).toThrow(
      expect.objectContaining({ code: 'FILE_IO' }),
    )
  })

  it.skipIf(!fs.existsSync('/dev/full'))('tells a full disk by its code', () => {
    const folder = tempFolder()
    fs.symlinkSync('/dev/full', path.join(folder, 'out.part'))
    const output = new OutputFile(path.join(folder, 'out'))
    expect(() => output.write(Buffer.from('abc'))).toThrow(expect.objectContaining({ code: 'FILE_NO_SPACE' }))
    output.discard()
  })
})
