import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../src/core/digest.ts'
import { initRepository } from '../../src/flow/repository-init.ts'
import { type RepositoryVerifyOptions, verifyRelease } from '../../src/flow/repository-verify.ts'
import { upload } from '../../src/flow/upload.ts'
import { type Artifact, type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { startStaticServer } from '../../src/sys/static-server.ts'
import { makeDeb, makeImage, testEnvelopes } from '../support/envelopes.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { testEpoch } from '../support/payload.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { s3Place, s3Server } from '../support/s3-server.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
let repository: MadeRepository
let record: ReleaseRecord
let copy: string

beforeAll(async () => {
  repository = await makeRepository(base, { applications: ['app'] })
  record = await cutForReal(path.join(repository.distFolder, '1.0.0'))
  await repository.upload('1.0.0')
})

beforeEach(() => {
  copy = path.join(tempFolder(), 'copy')
  fs.cpSync(repository.folder, copy, { recursive: true })
})

/** Make a release whose envelopes are real. */
async function cutForReal(folder: string): Promise<ReleaseRecord> {
  fs.mkdirSync(folder, { recursive: true })
  const envelopes = await testEnvelopes(folder, { 'bin/run.sh': '#!/bin/sh\n', 'a.txt': 'a', link: { link: 'a.txt' } })
  const manifest = Buffer.from(envelopes.debOptions.storedManifest)
  fs.writeFileSync(path.join(folder, 'app-1.0.0.manifest.json.zst'), manifest)
  const artifacts: Artifact[] = [
    envelopes.artifact,
    await makeDeb(envelopes),
    makeImage(envelopes),
    {
      kind: 'manifest',
      name: 'app-1.0.0.manifest.json.zst',
      sizeBytes: manifest.byteLength,
      digest: digestOf(manifest),
      mediaType: 'application/zstd',
    },
  ]
  const made: ReleaseRecord = {
    schema: 1,
    name: 'app',
    version: '1.0.0',
    summary: 'an application',
    licence: 'Apache-2.0',
    maintainer: 'Ada <ada@example.org>',
    commit: 'a'.repeat(40),
    tree: 'b'.repeat(40),
    sourceDateEpoch: testEpoch,
    toolVersion: '0.1.0',
    recipeDigest: digestOf('recipe'),
    changes: '',
    components: [{ name: 'app', artifacts }],
  }
  fs.writeFileSync(path.join(folder, 'release.json'), recordBytes(made))
  return made
}

async function verify(changes: Partial<RepositoryVerifyOptions> = {}) {
  const tools = recordedTools()
  const options = { cwd: base, environment: { PATH: process.env['PATH'] }, version: '1.0.0' }
  await verifyRelease({ ...options, repository: copy, keys: repository.keys, ...changes }, tools)
  return tools.events.flatMap(event => (event.kind === 'step-done' ? [event.step] : []))
}

function artifact<Kind extends Artifact['kind']>(kind: Kind) {
  const found = record.components[0]!.artifacts.find(each => each.kind === kind)
  return found as Extract<Artifact, { readonly kind: Kind }>
}

function change(key: string, edit: (bytes: Buffer) => Buffer): void {
  const file = path.join(copy, key)
  const before = fs.readFileSync(file)
  const after = edit(Buffer.from(before))
  expect(after.equals(before)).toBe(false)
  fs.rmSync(file)
  fs.writeFileSync(file, after)
}

const flipLast = (bytes: Buffer) => {
  bytes[bytes.length - 1]! ^= 1
  return bytes
}

describe('release verify', () => {
  it('goes from the root to the files in the envelopes, and to what apt and podman see', async () => {
    expect(await verify()).toEqual([
      'pin the root',
      'verify the record',
      'fetch the files',
      'compare the envelopes',
      'look it up as apt',
      'look it up as podman',
    ])
  })

  it('needs no keys when address, fingerprint and application are given', async () => {
    const server = await startStaticServer({ root: copy, host: '127.0.0.1', port: 0 })
    try {
      const { fingerprint } = repository
      const given = { url: server.url, fingerprint, application: 'app', repository: undefined, keys: undefined }
      expect(await verify(given)).toHaveLength(6)
    } finally {
      await server.close()
    }
  })

  it('reads what is in a bucket from where clients reach it, which must be said', async () => {
    const { address, url, environment } = s3Place(await s3Server(), 'vendor')
    const place = { cwd: base, environment, repository: address, keys: path.join(base, 'bucket-keys') }
    const init = { ...place, applications: ['app'] }
    const refused = initRepository(init, recordedTools())
    await expect(refused).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('--url') })
    expect(fs.existsSync(place.keys)).toBe(false)
    await initRepository({ ...init, url }, recordedTools())
    const release = { version: '1.0.0', distFolder: repository.distFolder, remote: 'origin', planOnly: false }
    await upload({ ...place, ...release }, recordedTools())
    expect(await verify(place)).toHaveLength(6)
  })

  it('does not take another root', async () => {
    await expect(verify({ fingerprint: digestOf('another') })).rejects.toMatchObject({ code: 'TRUST_PIN', exitCode: 3 })
  })

  it('names the releases that there are', async () => {
    await expect(verify({ version: '1.0.1' })).rejects.toMatchObject({
      code: 'RELEASE_UNKNOWN',
      details: { near: ['1.0.0'] },
    })
  })

  it.each(['tarball', 'deb', 'manifest'] as const)('finds a changed %s', async kind => {
    change(`pool/app/1.0.0/${artifact(kind).name}`, flipLast)
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('finds a longer file', async () => {
    change(`pool/app/1.0.0/${artifact('deb').name}`, bytes => Buffer.concat([bytes, Buffer.alloc(1)]))
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('finds a changed image', async () => {
    change(`oci/app/blobs/sha256/${hexOf(artifact('oci').blobs.at(-1)!.digest)}`, flipLast)
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('finds a file that is gone', async () => {
    fs.rmSync(path.join(copy, 'pool/app/1.0.0', artifact('deb').name))
    await expect(verify()).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' })
  })

  it('finds an image index that leads elsewhere', async () => {
    const { digest } = artifact('oci')
    change('oci/app/index.json', bytes => Buffer.from(bytes.toString().replace(digest, digestOf('another'))))
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('finds an apt index that was changed', async () => {
    const folder = path.join(copy, 'dists/edge/main/binary-all/by-hash/SHA256')
    for (const name of fs.readdirSync(folder)) {
      const bytes = fs.readFileSync(path.join(folder, name))
      fs.writeFileSync(path.join(folder, name), bytes.reverse())
    }
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('finds an InRelease that was changed', async () => {
    change('dists/edge/InRelease', bytes => Buffer.from(bytes.toString().replace('Origin: vendor', 'Origin: Vendor')))
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
  })
})
