import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ImageOptions } from '../../../src/envelope/oci.ts'
import { readBase } from '../../../src/envelope/oci-base.ts'
import { proveEnvelope } from '../../../src/envelope/prove.ts'
import { baseLayout, TestLayout, type TestMember, tarOf } from '../../support/base-layout.ts'
import { makeImage, type TestEnvelopes, testEnvelopes } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

const base = tempFolder()
let made = 0
const newFolder = () => path.join(base, String(made++))
let envelopes: TestEnvelopes

beforeAll(async () => {
  envelopes = await testEnvelopes(tempFolder(), { 'bin/run.sh': '#!/bin/sh\n' })
})

/** Put the payload on a base, and read it back; a code when it is refused. */
async function proofOf(folder: string, changes: Partial<ImageOptions> = {}): Promise<string | undefined> {
  const opened = await readBase({ folder, name: 'base', platforms: ['linux/amd64', 'linux/arm64'] })
  const image = newFolder()
  makeImage(envelopes, { folder: image, base: opened, ...changes })
  return codeOf(image)
}

const codeOf = (image: string) =>
  proveEnvelope(image, envelopes.manifest).then(
    () => undefined,
    caught => String(caught.code),
  )

function withUser(user: string): Partial<ImageOptions> {
  return { config: { ...envelopes.imageOptions.config, user } }
}

describe('an image on a base', () => {
  it('has the base’s layers as they are, the payload last', async () => {
    const folder = newFolder()
    const index = baseLayout(folder)
    const opened = await readBase({ folder, name: 'base', publicName: 'example.org/b:1', platforms: ['linux/arm64'] })
    const image = newFolder()
    const artifact = makeImage(envelopes, { folder: image, base: opened, platforms: ['linux/arm64'] })
    expect(await codeOf(image)).toBeUndefined()
    const read = (digest: string) =>
      JSON.parse(fs.readFileSync(path.join(image, 'blobs/sha256', digest.slice(7)), 'utf8')) as Record<string, never>
    const top = read(artifact.digest) as unknown as {
      manifests: { digest: string; platform: object }[]
      annotations: object
    }
    expect(top.manifests[0]?.platform).toEqual({ os: 'linux', architecture: 'arm64', variant: 'v8' })
    expect(top.annotations).toMatchObject({
      'org.opencontainers.image.base.name': 'example.org/b:1',
      'org.opencontainers.image.base.digest': index.digest,
    })
    const manifest = read(top.manifests[0]!.digest) as unknown as {
      layers: { digest: string; size: number }[]
      annotations: object
    }
    const [platform] = opened.platforms
    expect(manifest.annotations).toMatchObject({ 'org.opencontainers.image.base.digest': platform?.digest })
    expect(manifest.layers.map(({ digest }) => digest)).toEqual([
      ...(platform?.layers ?? []).map(({ digest }) => digest),
      expect.any(String),
      envelopes.artifact.digest,
    ])
    for (const { digest, sizeBytes, mediaType, file } of platform?.layers ?? []) {
      expect(artifact.blobs).toContainEqual({ digest, sizeBytes, mediaType })
      const copy = path.join(image, 'blobs/sha256', digest.slice(7))
      expect(fs.readFileSync(copy)).toEqual(fs.readFileSync(file))
      expect(fs.statSync(copy).ino).not.toBe(fs.statSync(file).ino)
    }
  })

  it('does not say where on this machine the base was', async () => {
    const folder = newFolder()
    baseLayout(folder)
    const image = newFolder()
    const opened = await readBase({ folder, name: `oci:${folder}`, platforms: ['linux/amd64'] })
    makeImage(envelopes, { folder: image, base: opened, platforms: ['linux/amd64'] })
    for (const name of fs.readdirSync(path.join(image, 'blobs/sha256'))) {
      expect(fs.readFileSync(path.join(image, 'blobs/sha256', name)).includes(folder), name).toBe(false)
    }
  })

  it('is refused where the base changed after it was read', async () => {
    const folder = newFolder()
    baseLayout(folder)
    const opened = await readBase({ folder, name: 'base', platforms: ['linux/amd64'] })
    const { file } = opened.platforms[0]!.layers[0]!
    const bytes = fs.readFileSync(file)
    fs.writeFileSync(file, bytes.fill(1, bytes.byteLength - 1))
    expect(() => makeImage(envelopes, { folder: newFolder(), base: opened, platforms: ['linux/amd64'] })).toThrow(
      expect.objectContaining({ code: 'IMAGE_INVALID' }),
    )
  })

  it('is refused for a platform that the base was not opened for', async () => {
    const folder = newFolder()
    baseLayout(folder)
    const opened = await readBase({ folder, name: 'base', platforms: ['linux/amd64'] })
    expect(() => makeImage(envelopes, { folder: newFolder(), base: opened })).toThrow(
      expect.objectContaining({ code: 'IMAGE_UNSUPPORTED' }),
    )
  })

  it('is refused with a layer whose tar is not what the configuration says', async () => {
    const layout = new TestLayout(newFolder())
    const layer = { ...layout.layer([{ path: 'a' }]), diffId: `sha256:${'0'.repeat(64)}` as const }
    const images = ['linux/amd64', 'linux/arm64'].map(platform => layout.image(platform, [layer]))
    layout.finish([[layout.index(images)]])
    expect(await proofOf(layout.folder)).toBe('IMAGE_INVALID')
  })

  it('is refused with a layer that does not decompress', async () => {
    const layout = new TestLayout(newFolder())
    const { diffId } = layout.layer([{ path: 'a' }])
    const descriptor = layout.put(
      zlib.gzipSync(tarOf([{ path: 'a' }])).subarray(0, -9),
      'application/vnd.oci.image.layer.v1.tar+gzip',
    )
    const images = ['linux/amd64', 'linux/arm64'].map(platform => layout.image(platform, [{ descriptor, diffId }]))
    layout.finish([[layout.index(images)]])
    expect(await proofOf(layout.folder)).toBe('IMAGE_INVALID')
  })

  it.each([
    ['web', undefined],
    ['web:web', undefined],
    ['web:0', undefined],
    ['1234:web', undefined],
    ['1234', undefined],
    ['nobody', 'IMAGE_USER'],
    ['web:staff', 'IMAGE_USER'],
    ['root:x:0', 'IMAGE_USER'],
  ])('runs as %s when the base has the name', async (user, code) => {
    const folder = newFolder()
    baseLayout(folder)
    expect(await proofOf(folder, withUser(user))).toBe(code)
  })

  it.each<[string, readonly TestMember[], string | undefined]>([
    ['another file of accounts', [{ path: './etc/passwd', content: 'other:x:1:1::/:\n' }], 'IMAGE_USER'],
    ['the file of accounts taken away', [{ path: 'etc/.wh.passwd' }], 'IMAGE_USER'],
    ['its folder taken away', [{ path: '.wh.etc' }], 'IMAGE_USER'],
    ['its folder made anew', [{ path: 'etc/', type: 'Directory' }, { path: 'etc/.wh..wh..opq' }], 'IMAGE_USER'],
    ['everything made anew', [{ path: '.wh..wh..opq' }], 'IMAGE_USER'],
    ['a link in place of the file', [{ path: 'etc/passwd', type: 'SymbolicLink', linkpath: 'x' }], 'IMAGE_USER'],
    ['a file beside it', [{ path: 'etc/passwd-', content: 'other:x:1:1::/:\n' }], undefined],
    ['a whiteout of another name', [{ path: 'etc/.wh.pass' }], undefined],
  ])('looks at the names through all layers: %s', async (_, members, code) => {
    const folder = newFolder()
    baseLayout(folder, { members })
    expect(await proofOf(folder, withUser('web:1'))).toBe(code)
  })

  it('is refused where a folder of the payload would replace a link of the base', async () => {
    const folder = newFolder()
    baseLayout(folder, { members: [{ path: 'opt', type: 'SymbolicLink', linkpath: 'usr/opt' }] })
    expect(await proofOf(folder)).toBe('IMAGE_BASE_PATH')
    const inside = newFolder()
    baseLayout(inside, { members: [{ path: 'opt/app/bin', type: 'SymbolicLink', linkpath: '/bin' }] })
    expect(await proofOf(inside)).toBe('IMAGE_BASE_PATH')
    const volumes = newFolder()
    baseLayout(volumes, { members: [{ path: 'var/run', type: 'SymbolicLink', linkpath: '/run' }] })
    const { config } = envelopes.imageOptions
    expect(await proofOf(volumes, { config: { ...config, volumes: ['/var/run/app'] } })).toBe('IMAGE_BASE_PATH')
    expect(await proofOf(volumes, { config: { ...config, volumes: ['/var/lib/app'] } })).toBeUndefined()
    const folders = newFolder()
    baseLayout(folders, {
      members: [
        { path: 'opt/', type: 'Directory' },
        { path: 'opt/app/', type: 'Directory' },
      ],
    })
    expect(await proofOf(folders)).toBeUndefined()
  })
})

it('an image from scratch knows nobody by name', async () => {
  const image = newFolder()
  makeImage(envelopes, { folder: image, ...withUser('root') })
  expect(await codeOf(image)).toBe('IMAGE_USER')
})
