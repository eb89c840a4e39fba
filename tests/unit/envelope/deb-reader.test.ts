import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ReleaseError } from '../../../src/core/error.ts'
import { arHeader, arMagic, arPadding } from '../../../src/envelope/ar.ts'
import { type DebStretch, readDeb, readDebFrom } from '../../../src/envelope/deb-reader.ts'
import { makeDeb, testEnvelopes } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

const refused = (caught: unknown) => ['DEB_INVALID', 'TAR_INVALID'].includes((caught as { code: string }).code)

let folder: string
let bytes: Buffer
let parts: ReadonlyMap<string, Buffer>

beforeAll(async () => {
  folder = tempFolder()
  const envelopes = await testEnvelopes(folder, { 'bin/run.sh': '#!/bin/sh\n' })
  await makeDeb(envelopes)
  bytes = fs.readFileSync(envelopes.debOptions.file)
  const { members } = readDeb(envelopes.debOptions.file)
  parts = new Map(members.map(({ name, offset, sizeBytes }) => [name, bytes.subarray(offset, offset + sizeBytes)]))
})

function readBytes(content: Uint8Array) {
  const file = path.join(folder, 'read.deb')
  fs.writeFileSync(file, content)
  return readDeb(file)
}

/** A package of members in the order given, `name` or `name=part` with the content of another one. */
function deb(...names: string[]): Buffer {
  const members = names.map(each => {
    const [name = '', part = name] = each.split('=')
    const content = parts.get(part) ?? Buffer.from(part)
    return Buffer.concat([arHeader(name, content.byteLength, 0), content, Buffer.from(arPadding(content.byteLength))])
  })
  return Buffer.concat([Buffer.from(arMagic), ...members])
}

function failure(content: Uint8Array): unknown {
  try {
    readBytes(content)
    return undefined
  } catch (caught) {
    return caught
  }
}

describe('readDeb', () => {
  it('reads what createDeb wrote', () => {
    const { control, controlFiles, data } = readBytes(bytes)
    expect(control).toMatch(/^Package: app\nVersion: 1\.0\.0-1\n/)
    expect(controlFiles.has('md5sums')).toBe(true)
    expect(data.name).toBe('data.tar.zst')
  })

  it('refuses a package that is cut before its last member', async () => {
    const lastMember = bytes.byteLength - parts.get('_manifest.zst')!.byteLength - 60
    // Every byte of it is cut in tests/conformance/hostile.test.ts.
    for (let sizeBytes = 0; sizeBytes < lastMember - 1; sizeBytes += sizeBytes < 200 ? 1 : 29) {
      const cut = bytes.subarray(0, sizeBytes)
      const read = async (stretch: DebStretch) => cut.subarray(stretch.offset, stretch.offset + stretch.sizeBytes)
      const found = await readDebFrom({ name: 'cut.deb', sizeBytes, read }).catch(caught => caught)
      expect(found instanceof ReleaseError && refused(found), `${sizeBytes} bytes`).toBe(true)
    }
  })

  it('accepts members that begin with _ anywhere after the first, and anything behind the data', () => {
    const order = ['debian-binary', '_a', 'control.tar.gz', '_b', 'data.tar.zst', 'anything']
    expect(readBytes(deb(...order)).members.map(member => member.name)).toEqual(order)
  })

  it.each([
    ['no members', []],
    ['another first member', ['control.tar.gz', 'debian-binary', 'data.tar.zst']],
    ['a _ member first', ['_a', 'debian-binary', 'control.tar.gz', 'data.tar.zst']],
    ['a stranger before the control archive', ['debian-binary', 'stranger', 'control.tar.gz', 'data.tar.zst']],
    ['data before control', ['debian-binary', 'data.tar.zst', 'control.tar.gz']],
    ['no data', ['debian-binary', 'control.tar.gz']],
    ['a data archive that dpkg does not know', ['debian-binary', 'control.tar.gz', 'data.tar.lz4=data.tar.zst']],
    ['a format of the future', ['debian-binary=3.0\n', 'control.tar.gz', 'data.tar.zst']],
    ['a control archive that is not one', ['debian-binary', 'control.tar.gz=garbage', 'data.tar.zst']],
    ['a control archive without control', ['debian-binary', 'control.tar=data.tar', 'data.tar.zst']],
  ])('refuses %s', (_, order) => {
    expect(refused(failure(deb(...order)))).toBe(true)
  })

  it('refuses an odd number of bytes, and what is no archive', () => {
    expect(refused(failure(Buffer.concat([bytes, Buffer.from('\n')])))).toBe(true)
    expect(refused(failure(Buffer.from('PK\u0003\u0004 and more')))).toBe(true)
  })

  it('refuses a size that reaches past the end', () => {
    const broken = Buffer.from(bytes)
    broken.write('9999999999', arMagic.length + 60 + 4 + 48, 'latin1')
    expect(refused(failure(broken))).toBe(true)
  })
})
