import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { hexOf } from '../../../src/core/digest.ts'
import { readDeb } from '../../../src/envelope/deb-reader.ts'
import { proveEnvelope } from '../../../src/envelope/prove.ts'
import { compressedManifest, type PayloadManifest } from '../../../src/payload/manifest.ts'
import { makeDeb, makeImage, type TestEnvelopes, testEnvelopes } from '../../support/envelopes.ts'
import { noise } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const files = {
  'bin/run.sh': '#!/bin/sh\n',
  'lib/text': 'text\n'.repeat(50),
  'lib/noise': noise(3000),
  link: { link: 'lib/text' },
}

let envelopes: TestEnvelopes
let debFile: string

beforeAll(async () => {
  envelopes = await testEnvelopes(tempFolder(), files)
  debFile = envelopes.debOptions.file
  await makeDeb(envelopes)
  makeImage(envelopes)
})

async function failureOf(file: string, manifest: PayloadManifest = envelopes.manifest): Promise<string | undefined> {
  return proveEnvelope(file, manifest).then(
    () => undefined,
    caught => String(caught.code),
  )
}

function changedFile(file: string, change: (bytes: Buffer) => Uint8Array): string {
  const bytes = fs.readFileSync(file)
  const copy = path.join(tempFolder(), path.basename(file))
  fs.writeFileSync(copy, change(bytes))
  return copy
}

describe.each(['zstd', 'gzip'] as const)('proveEnvelope of %s', codec => {
  it('accepts all three envelopes', async () => {
    const each = await testEnvelopes(tempFolder(), files, { codec })
    await makeDeb(each)
    makeImage(each)
    expect(await proveEnvelope(each.file, each.manifest)).toEqual({ kind: 'tarball', added: [] })
    const proof = await proveEnvelope(each.debOptions.file, each.manifest)
    expect(proof.kind).toBe('deb')
    expect(proof.added).toContain('./usr/share/doc/app/copyright')
    expect(await proveEnvelope(each.imageOptions.folder, each.manifest)).toEqual({ kind: 'oci', added: [] })
  })
})

describe('proveEnvelope', () => {
  it('refuses a tarball that is cut at any byte', async () => {
    const bytes = fs.readFileSync(envelopes.file)
    const file = path.join(tempFolder(), 'cut')
    for (let sizeBytes = 0; sizeBytes < bytes.byteLength; sizeBytes += sizeBytes < bytes.byteLength - 200 ? 31 : 1) {
      fs.writeFileSync(file, bytes.subarray(0, sizeBytes))
      expect(await failureOf(file), `${sizeBytes} bytes`).toBe('ENVELOPE_MISMATCH')
    }
  })

  it('refuses what dpkg could not read: several frames, a skippable frame, bytes behind the frame', async () => {
    const twice = changedFile(envelopes.file, bytes => Buffer.concat([bytes, bytes]))
    expect(await failureOf(twice)).toBe('ENVELOPE_MISMATCH')
    const skippable = Buffer.from('502a4d180400000061626364', 'hex')
    expect(await failureOf(changedFile(envelopes.file, bytes => Buffer.concat([skippable, bytes])))).toBe(
      'ENVELOPE_MISMATCH',
    )
    expect(await failureOf(changedFile(envelopes.file, bytes => Buffer.concat([bytes, skippable])))).toBe(
      'ENVELOPE_MISMATCH',
    )
  })

  it('refuses a change of any byte of a payload', async () => {
    const segmentsEnd = envelopes.artifact.payloadOffset + envelopes.manifest.segmentsSizeBytes
    for (const at of [0, 3, 5, 6, 100, segmentsEnd - 1, segmentsEnd, segmentsEnd + 3]) {
      const file = changedFile(envelopes.file, bytes => {
        bytes[at] = bytes[at]! ^ 0x04
        return bytes
      })
      expect(await failureOf(file), `byte ${at}`).toBeTypeOf('string')
    }
  })

  it.each<[string, (manifest: PayloadManifest) => unknown]>([
    ['another mode', ({ files: [, file] }) => Object.assign(file!, { mode: 0o600 })],
    [
      'another digest',
      ({ files: list }) =>
        Object.assign(list.find(file => file.path === 'lib/text')!, { digest: `sha256:${'0'.repeat(64)}` }),
    ],
    [
      'another offset',
      ({ files: list }) => Object.assign(list.find(file => file.path === 'lib/text')!, { tarOffset: 512 }),
    ],
    ['another target', ({ files: list }) => Object.assign(list.at(-1)!, { linkTarget: 'bin/run.sh' })],
    ['a file more', ({ files: list }) => (list as unknown[]).push({ type: 'symlink', path: 'more', linkTarget: 'x' })],
    ['a file less', ({ files: list }) => (list as unknown[]).pop()],
  ])('refuses a manifest with %s', async (_, change) => {
    const manifest = structuredClone(envelopes.manifest)
    change(manifest)
    expect(await failureOf(envelopes.file, manifest)).toBe('ENVELOPE_MISMATCH')
    expect(await failureOf(debFile, manifest)).toBe('ENVELOPE_MISMATCH')
  })

  it('refuses a package with another manifest, or none', async () => {
    const other = { ...envelopes.manifest, version: '1.0.1' }
    const file = path.join(tempFolder(), 'other.deb')
    await makeDeb(envelopes, { file, storedManifest: compressedManifest(other) })
    expect(await failureOf(file)).toBe('ENVELOPE_MISMATCH')
    const { members } = readDeb(debFile)
    const without = changedFile(debFile, bytes => bytes.subarray(0, members.at(-1)!.offset - 60))
    expect(await failureOf(without)).toBe('ENVELOPE_MISMATCH')
  })

  it('refuses an image with another layer, configuration or diff_id', async () => {
    const { folder, tarball } = envelopes.imageOptions
    const copy = path.join(tempFolder(), 'image')
    const reset = () => fs.cpSync(folder, copy, { recursive: true, force: true })
    const blobs = fs.readdirSync(path.join(folder, 'blobs/sha256'))
    reset()
    const layer = path.join(copy, 'blobs/sha256', hexOf(tarball.artifact.digest))
    const bytes = fs.readFileSync(layer)
    fs.writeFileSync(layer, bytes.fill(0xff, bytes.byteLength - 1))
    expect(await failureOf(copy)).toBe('ENVELOPE_MISMATCH')
    fs.appendFileSync(layer, 'x')
    expect(await failureOf(copy)).toBe('IMAGE_INVALID')
    for (const name of blobs.filter(each =>
      fs.readFileSync(path.join(folder, 'blobs/sha256', each), 'utf8').includes('diff_ids'),
    )) {
      reset()
      fs.appendFileSync(path.join(copy, 'blobs/sha256', name), ' ')
      expect(await failureOf(copy)).toBe('IMAGE_INVALID')
    }
    const wrong = {
      ...envelopes.manifest,
      tar: { ...envelopes.manifest.tar, digest: `sha256:${'0'.repeat(64)}` as const },
    }
    makeImage(envelopes, { folder: copy, manifest: wrong })
    expect(await failureOf(copy)).toBe('ENVELOPE_MISMATCH')
    fs.rmSync(path.join(copy, 'oci-layout'))
    expect(await failureOf(copy)).toBe('IMAGE_INVALID')
  })

  it('believes a layer that was proven before, by its digest alone', async () => {
    const { folder, tarball } = envelopes.imageOptions
    const proven = new Set([tarball.artifact.digest])
    expect(await proveEnvelope(folder, envelopes.manifest, proven)).toEqual({ kind: 'oci', added: [] })
  })
})
