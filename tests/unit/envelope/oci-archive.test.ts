import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/core/digest.ts'
import { ReleaseError } from '../../../src/core/error.ts'
import { unpackArchive } from '../../../src/envelope/oci-archive.ts'
import { readBase } from '../../../src/envelope/oci-base.ts'
import { baseLayout, type TestMember, tarOf } from '../../support/base-layout.ts'
import { tempFolder } from '../../support/temp.ts'

const base = tempFolder()
let made = 0
const newPath = () => path.join(base, String(made++))

async function unpack(bytes: Buffer): Promise<string> {
  const [file, folder] = [newPath(), newPath()]
  fs.writeFileSync(file, bytes)
  await unpackArchive(file, folder)
  return folder
}

const codeOf = (bytes: Buffer) =>
  unpack(bytes).then(
    () => undefined,
    caught => String(caught.code),
  )

const layer = tarOf([{ path: 'etc/passwd', content: 'web:x:1:1::/:\n' }])
const config = JSON.stringify({
  architecture: 'amd64',
  os: 'linux',
  config: { User: 'web' },
  rootfs: { type: 'layers', diff_ids: [digestOf(layer), digestOf(layer)] },
})
const listed = (changes: object = {}) =>
  JSON.stringify([
    { Config: 'c.json', RepoTags: ['example/small:1'], Layers: ['a/layer.tar', 'b/layer.tar'], ...changes },
  ])

/** What `docker save` writes: a layer that is there twice is a link. */
const dockerMembers: readonly TestMember[] = [
  { path: 'a/', type: 'Directory' },
  { path: 'a/layer.tar', content: layer },
  { path: 'b/layer.tar', type: 'SymbolicLink', linkpath: '../a/layer.tar' },
  { path: 'c.json', content: config },
  { path: 'manifest.json', content: listed() },
]

function changed(path: string, change: Partial<TestMember>): Buffer {
  return tarOf(dockerMembers.map(member => (member.path === path ? { ...member, ...change } : member)))
}

/** An image layout as a tar. */
function ociArchive(): Buffer {
  const folder = newPath()
  baseLayout(folder)
  const names = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  return tarOf(
    names.map(entry => {
      const file = path.join(entry.parentPath, entry.name)
      return { path: path.relative(folder, file), content: fs.readFileSync(file) }
    }),
  )
}

const read = (folder: string, reference?: string) =>
  readBase({ folder, name: 'archive', platforms: ['linux/amd64'], ...(reference === undefined ? {} : { reference }) })

describe('unpackArchive', () => {
  it.each([
    ['plain', (bytes: Buffer) => bytes],
    ['gzip', (bytes: Buffer) => zlib.gzipSync(bytes)],
    ['zstd', (bytes: Buffer) => zlib.zstdCompressSync(bytes)],
  ])('makes a layout of an archive in Docker’s form (%s)', async (_, compress) => {
    const found = await read(await unpack(compress(tarOf(dockerMembers))), 'example/small:1')
    const [platform] = found.platforms
    expect(platform?.config.user).toBe('web')
    expect(platform?.layers.map(each => [each.codec, each.digest, each.diffId])).toEqual(
      Array.from({ length: 2 }, () => ['none', digestOf(layer), digestOf(layer)]),
    )
  })

  it('gives the same image the same digest, whatever stands around it', async () => {
    const one = await read(await unpack(tarOf(dockerMembers)))
    const other = [{ path: 'repositories', content: '{}' }, ...dockerMembers.toReversed()]
    expect((await read(await unpack(tarOf(other)))).digest).toBe(one.digest)
  })

  it('finds out how layers are compressed', async () => {
    const members = dockerMembers.map(member =>
      member.path === 'a/layer.tar' ? { ...member, content: zlib.gzipSync(layer) } : member,
    )
    const found = await read(await unpack(tarOf(members)))
    expect(found.platforms[0]?.layers.map(({ mediaType }) => mediaType)).toEqual(
      Array.from({ length: 2 }, () => 'application/vnd.oci.image.layer.v1.tar+gzip'),
    )
  })

  it('takes an archive in OCI’s form as it is', async () => {
    const folder = newPath()
    const index = baseLayout(folder)
    expect((await read(await unpack(ociArchive()), 'stable')).digest).toBe(index.digest)
  })

  it.each<[string, string, Buffer]>([
    ['no tar', 'IMAGE_ARCHIVE_INVALID', Buffer.from('hello\n'.repeat(400))],
    ['nothing', 'IMAGE_ARCHIVE_INVALID', Buffer.alloc(0)],
    ['a tar of something else', 'IMAGE_ARCHIVE_INVALID', tarOf([{ path: 'a' }])],
    ['a path upward', 'PATH_UNSAFE', tarOf([...dockerMembers, { path: '../evil' }])],
    ['an absolute path', 'PATH_UNSAFE', tarOf([...dockerMembers, { path: '/tmp/evil' }])],
    ['a device', 'IMAGE_ARCHIVE_INVALID', tarOf([...dockerMembers, { path: 'sda', type: 'CharacterDevice' }])],
    ['a pipe', 'IMAGE_ARCHIVE_INVALID', tarOf([...dockerMembers, { path: 'pipe', type: 'FIFO' }])],
    ['a file twice', 'IMAGE_ARCHIVE_INVALID', tarOf([...dockerMembers, { path: 'c.json', content: '{}' }])],
    ['an absolute link', 'IMAGE_ARCHIVE_INVALID', changed('b/layer.tar', { linkpath: '/etc/passwd' })],
    ['a link upward', 'IMAGE_ARCHIVE_INVALID', changed('b/layer.tar', { linkpath: '../../etc/passwd' })],
    [
      'a hard link upward',
      'IMAGE_ARCHIVE_INVALID',
      changed('b/layer.tar', { type: 'Link', linkpath: '../etc/passwd' }),
    ],
    ['a link to nothing', 'IMAGE_ARCHIVE_INVALID', changed('b/layer.tar', { linkpath: 'c' })],
    ['a link to itself', 'IMAGE_ARCHIVE_INVALID', changed('b/layer.tar', { linkpath: 'layer.tar' })],
    [
      'a file of this machine as layer',
      'IMAGE_ARCHIVE_INVALID',
      changed('manifest.json', { content: listed({ Layers: ['/etc/passwd'] }) }),
    ],
    [
      'a configuration that is not there',
      'IMAGE_ARCHIVE_INVALID',
      changed('manifest.json', { content: listed({ Config: '../../x' }) }),
    ],
    [
      'layers that are no list',
      'IMAGE_ARCHIVE_INVALID',
      changed('manifest.json', { content: listed({ Layers: 'a' }) }),
    ],
    ['a list that is none', 'IMAGE_ARCHIVE_INVALID', changed('manifest.json', { content: '{}' })],
    ['a list that is not JSON', 'IMAGE_ARCHIVE_INVALID', changed('manifest.json', { content: '[' })],
    [
      'a blob under another digest',
      'IMAGE_ARCHIVE_INVALID',
      tarOf([
        { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
        { path: 'index.json', content: '{"manifests":[]}' },
        { path: `blobs/sha256/${hexOf(digestOf('a'))}`, content: 'b' },
      ]),
    ],
  ])('refuses %s', async (_, code, bytes) => {
    expect(await codeOf(bytes)).toBe(code)
  })

  it('writes nothing but digests', async () => {
    const folder = await unpack(tarOf([...dockerMembers, { path: 'sub/evil.sh', content: 'x', mode: 0o755 }]))
    const names = fs.readdirSync(folder, { recursive: true }).map(String)
    expect(names.filter(name => !/^blobs(\/sha256(\/[0-9a-f]{64})?)?$/.test(name)).sort()).toEqual([
      'index.json',
      'oci-layout',
    ])
  })

  it('refuses an archive that is cut at any byte', async () => {
    const bytes = tarOf(dockerMembers)
    for (let length = 0; length < bytes.byteLength - 1024; length += length % 512 < 1 ? 1 : 511) {
      expect(await codeOf(bytes.subarray(0, length)), `${length} bytes`).toBeDefined()
    }
  })

  it('ends with an error that has a code, or a layout, whatever is changed', async () => {
    const archives = [tarOf(dockerMembers), ociArchive()]
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...archives), changes, async (archive, list) => {
        const bytes = Buffer.from(archive)
        for (const [at, value] of list) bytes[at % bytes.byteLength] = value
        const outcome = await unpack(bytes)
          .then(read)
          .catch((caught: unknown) => caught)
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(ReleaseError)
      }),
      { numRuns: 30 },
    )
  })
})
