import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import type { DebOptions } from '../../../src/envelope/deb.ts'
import { readDeb } from '../../../src/envelope/deb-reader.ts'
import { parseManifest } from '../../../src/payload/manifest.ts'
import { makeDeb, type TestEnvelopes, testEnvelopes, unitLife } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

const files = { 'bin/run.sh': '#!/bin/sh\n', 'etc/app.conf': 'key = value\n', link: { link: 'bin/run.sh' } }

let envelopes: TestEnvelopes

beforeAll(async () => {
  envelopes = await testEnvelopes(tempFolder(), files)
})

const other = (name: string) => path.join(tempFolder(), name)

describe('createDeb', () => {
  it('puts the payload’s segments into the package as they are, where it says', async () => {
    const artifact = await makeDeb(envelopes)
    const bytes = fs.readFileSync(envelopes.debOptions.file)
    expect(artifact.sizeBytes).toBe(bytes.byteLength)
    expect(artifact.digest).toBe(digestOf(bytes))
    for (const segment of envelopes.manifest.segments) {
      const start = artifact.payloadOffset + segment.offset
      expect(digestOf(bytes.subarray(start, start + segment.sizeBytes))).toBe(segment.digest)
    }
  })

  it('carries the manifest in a member of its own', async () => {
    await makeDeb(envelopes)
    const { members } = readDeb(envelopes.debOptions.file)
    expect(members.map(member => member.name)).toEqual([
      'debian-binary',
      'control.tar.gz',
      'data.tar.zst',
      '_manifest.zst',
    ])
    const { offset, sizeBytes } = members[3]!
    const bytes = fs.readFileSync(envelopes.debOptions.file).subarray(offset, offset + sizeBytes)
    expect(parseManifest(bytes)).toEqual(envelopes.manifest)
  })

  it('writes md5sums for all files but the configuration, and lists that', async () => {
    await makeDeb(envelopes, { conffiles: ['opt/app/etc/app.conf'] })
    const { controlFiles } = readDeb(envelopes.debOptions.file)
    const md5 = createHash('md5').update(files['bin/run.sh']).digest('hex')
    const lines = controlFiles.get('md5sums')!.text.split('\n')
    expect(lines[0]).toBe(`${md5}  opt/app/bin/run.sh`)
    expect(lines.slice(1).map(line => line.slice(34))).toEqual([
      'usr/share/doc/app/changelog.Debian.gz',
      'usr/share/doc/app/copyright',
      'usr/share/lintian/overrides/app',
      '',
    ])
    expect(controlFiles.get('conffiles')!.text).toBe('/opt/app/etc/app.conf\n')
  })

  it('leaves md5sums to dpkg when nobody counted them', async () => {
    const { md5sums: _, ...options } = envelopes.debOptions
    await makeDeb({ ...envelopes, debOptions: options })
    expect([...readDeb(options.file).controlFiles.keys()]).toEqual(['control'])
  })

  it('makes maintainer scripts executable', async () => {
    const units = [{ name: 'app.service', text: '[Unit]\n', ...unitLife }]
    await makeDeb(envelopes, { units, scripts: { preinst: 'true' } })
    const { controlFiles } = readDeb(envelopes.debOptions.file)
    const modes = [...controlFiles].map(([name, file]) => `${name} ${file.mode.toString(8)}`)
    expect(modes).toEqual(['control 644', 'md5sums 644', 'postinst 755', 'postrm 755', 'preinst 755', 'prerm 755'])
  })

  it('makes the same bytes every time', async () => {
    const first = await makeDeb(envelopes)
    const second = await makeDeb(envelopes, { file: other('b.deb') })
    expect(second.digest).toBe(first.digest)
  })

  it('packs the gzip payload as data.tar.gz', async () => {
    const gzipped = await testEnvelopes(tempFolder(), files, { codec: 'gzip' })
    await makeDeb(gzipped)
    expect(readDeb(gzipped.debOptions.file).data.name).toBe('data.tar.gz')
  })

  it.each<[string, Partial<DebOptions>]>([
    ['a conffile that is not in it', { conffiles: ['etc/none'] }],
    ['a unit of a strange name', { units: [{ name: 'app', text: '', ...unitLife }] }],
  ])('refuses %s and leaves nothing behind', async (_, changes) => {
    const file = other('refused.deb')
    await expect(makeDeb(envelopes, { file, ...changes })).rejects.toEqual(
      expect.objectContaining({ code: 'DEB_FIELD' }),
    )
    expect(fs.readdirSync(path.dirname(file))).toEqual([])
  })

  it('refuses a payload that brings the package’s own files', async () => {
    const folder = tempFolder()
    const clash = await testEnvelopes(folder, { text: 'x' })
    const manifest = {
      ...clash.manifest,
      root: 'usr/share/doc/app',
      files: [{ ...clash.manifest.files[0]!, path: 'copyright' }],
    }
    await expect(makeDeb(clash, { manifest })).rejects.toEqual(expect.objectContaining({ code: 'DEB_FIELD' }))
  })
})
