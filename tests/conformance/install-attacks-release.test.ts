/*
 * Attacks on a server by a release: its signatures hold, and whoever signed it wants to do harm beyond what a release may do, which SECURITY.md
 * says. Each is refused before anything of it is there, or does no more than that.
 */
import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Json } from '../../src/core/canonical-json.ts'
import { ReleaseError } from '../../src/core/error.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { verify } from '../../src/flow/verify.ts'
import { releasePaths } from '../../src/prefix/layout.ts'
import { changeManifest, type LooseJson, putSegment, tarOf } from '../support/hostile-release.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { startServing } from '../support/toy-prefix.ts'
import { cutToy, servedFiles, servedNode, type ToyInstallation, toyInstallation } from '../support/toy-release.ts'

const files = { 'a/file': 'a', 'a/link': { link: 'file' }, z: 'z' }
const made = tempFolder()
let toy: ToyInstallation
let dist: string

beforeAll(async () => {
  await cutToy(made, { version: '1.0.0', files })
})
beforeEach(() => {
  toy = toyInstallation()
  dist = path.join(toy.dist, '1.0.0')
  fs.cpSync(path.join(made, '1.0.0'), dist, { recursive: true })
})

async function put(folder = dist): Promise<void> {
  await install({ prefix: toy.paths.root, resolve: resolveFromFolder(folder) }, recordedTools())
}

/** Try to install, in vain. Post: there is no release, and nothing new beside the prefix. */
async function refusal(folder = dist): Promise<ReleaseError> {
  const beside = path.dirname(toy.paths.root)
  const before = fs.readdirSync(beside)
  const error = await put(folder).catch(caught => caught)
  if (!(error instanceof ReleaseError) || error.code === 'INTERNAL') throw new Error('not refused', { cause: error })
  expect(fs.readdirSync(beside)).toEqual(before)
  expect(fs.readdirSync(toy.paths.releases).filter(name => !name.startsWith('.'))).toEqual([])
  expect(fs.existsSync(toy.paths.current)).toBe(false)
  return error
}

describe('a manifest that leads out of its release', () => {
  type Edit = (files: LooseJson[]) => void
  const find = (all: LooseJson[], name: string) => all.find(entry => entry['path'] === name)!
  const renamed =
    (name: string): Edit =>
    all =>
      void Object.assign(find(all, 'z'), { path: name })
  const moved =
    (from: string, folder: string, name: string): Edit =>
    all => {
      Object.assign(find(all, from), { path: `${folder}/${name}` })
      all.push({ type: 'directory', path: folder, mode: 0o755 })
    }
  const linkedTo =
    (linkTarget: string): Edit =>
    all =>
      void Object.assign(find(all, 'a/link'), { linkTarget })

  it.each<[string, Edit, RegExp]>([
    ['above it', renamed('../z'), /not a relative path/],
    ['above it by a detour', renamed('a/../../z'), /not a relative path/],
    ['by an absolute path', renamed('/tmp/z'), /not a relative path/],
    ['by an empty name', renamed('a//z'), /not a relative path/],
    ['by a name with a line break', renamed('z\nz'), /not a relative path/],
    ['by a name with a NUL', renamed('z\0'), /not a relative path/],
    ['by a link to an absolute path', linkedTo('/etc/passwd'), /absolute/],
    ['by a link to above it', linkedTo('../../../etc/passwd'), /outside the payload/],
    [
      'by a link to above it by a detour',
      linkedTo('x/../../../../etc/passwd'),
      /\.\. after a name|outside the payload/,
    ],
    ['through a link, to which it has a file below', renamed('a/link/z'), /its folder is not listed/],
    ['through a file, to which it has a file below', renamed('a/file/z'), /its folder is not listed/],
    ['by the same path twice', renamed('version.txt'), /there twice/],
    ['by a path of ours', moved('a/file', '.cutover', 'recipe.json'), /place of cutover/],
    ['by the path of a virtualenv', moved('version.txt', 'venv', 'python'), /place of cutover/],
    ['with setuid', all => void Object.assign(find(all, 'z'), { mode: 0o4755 }), /mode/],
    ['with a sticky folder', all => void Object.assign(find(all, 'a'), { mode: 0o1777 }), /mode/],
    ['with a device', all => void Object.assign(find(all, 'z'), { type: 'device' }), /type/],
    [
      'with a hard link',
      all => void Object.assign(find(all, 'z'), { type: 'link', linkTarget: '/etc/passwd' }),
      /type/,
    ],
    [
      'with more bytes than its tar has',
      all => void Object.assign(find(all, 'z'), { sizeBytes: 2 ** 40 }),
      /sizeBytes|tarOffset/,
    ],
  ])('%s', async (_, edit, reason) => {
    changeManifest(dist, manifest => {
      edit(manifest['files'] as LooseJson[])
      const order = (entry: LooseJson) => `${Number(entry['type'] === 'symlink')}${entry['path']}`
      // So that it is not only refused for its order.
      ;(manifest['files'] as LooseJson[]).sort((a, b) => (order(a) < order(b) ? -1 : 1))
    })
    const error = await refusal()
    expect(error.code).toBe('MANIFEST_INVALID')
    expect(error.message).toMatch(reason)
  })
})

describe('an archive that is not what the manifest says', () => {
  const content = 'content'
  const plain = { name: './opt/app/file', mode: 0o644, type: '0' }

  it.each([
    ['names a path above it', { ...plain, name: '../../../../../../tmp/cutover-attack' }],
    ['names an absolute path', { ...plain, name: '/tmp/cutover-attack' }],
    ['has setuid', { ...plain, mode: 0o6777 }],
    ['is a link', { ...plain, type: '2' }],
    ['is a hard link', { ...plain, type: '1' }],
    ['is a device', { ...plain, type: '3' }],
  ])('%s: headers are not read, and the file is as its manifest says', async (_, header) => {
    const tar = tarOf(header, content)
    putSegment(dist, { tar, stored: zlib.gzipSync(tar), codec: 'gzip', content })
    await put()
    const { root } = releasePaths(toy.paths, '1.0.0')
    expect(fs.readFileSync(path.join(root, 'file'), 'utf8')).toBe(content)
    expect(fs.lstatSync(path.join(root, 'file')).mode).toBe(0o100644)
    expect(fs.existsSync('/tmp/cutover-attack')).toBe(false)
    await verify({ prefix: toy.paths.root, offline: true }, recordedTools())
  })

  /** Blocks of 128 KiB of zeros in four bytes each. Source: RFC 8878 §3.1.1.2 (RLE_Block). */
  const zeros = Buffer.alloc(
    4 * 2 ** 20,
    Buffer.from([((131_072 << 3) & 0xff) | 2, ((131_072 << 3) >> 8) & 0xff, (131_072 << 3) >> 16, 0]),
  )
  it.each([
    ['a bomb of zstd blocks', 'zstd', zeros],
    ['a bomb of gzip', 'gzip', zlib.gzipSync(Buffer.alloc(2 ** 28))],
    [
      'a frame of its own with a window of two gigabytes',
      'zstd',
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 21 << 3, 1, 0, 0]),
    ],
    ['nothing that is compressed', 'gzip', Buffer.from('<html>')],
  ] as const)('%s', async (_, codec, stored) => {
    putSegment(dist, { tar: tarOf(plain, content), stored, codec, content })
    const before = process.memoryUsage().rss
    expect((await refusal()).code).toBe('SEGMENT_DECODE')
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 2 ** 20)
  })
})

describe('a recipe that asks for what no recipe may', () => {
  const service = { name: 'web', command: ['/bin/true'] }
  it.each<[string, { readonly [key: string]: Json }]>([
    ['to write configuration above shared/', { files: [{ path: '../prefix.json', template: 'z' }] }],
    ['to write configuration anywhere', { files: [{ path: '/etc/cron.d/x', template: 'z' }] }],
    ['to make configuration of any file', { files: [{ path: 'x', template: '../../../etc/shadow' }] }],
    ['to make configuration setuid', { files: [{ path: 'x', template: 'z', mode: '4755' }] }],
    ['to write above its release', { config: [{ path: '../../bin/install', template: 'z' }] }],
    ['to share a folder above shared/', { shared: ['../bin'] }],
    ['to run commands elsewhere', { setup: [{ run: 'true', directory: '../../..' }] }],
    ['to run as a user that is an option', { user: '--root' }],
    ['to run as a number', { user: '0' }],
    ['to decrypt any file', { secrets: [{ name: 'KEY', age: '../../../etc/key.age' }] }],
    ['to keep a secret under any name', { secrets: [{ name: '../KEY', as: 'file' }] }],
    ['to log anywhere', { services: [{ ...service, name: '../../x' }] }],
    ['to bring an interpreter from elsewhere', { runtime: { kind: 'node', interpreter: '../../../bin/sh' } }],
    ['to hold requests without end', { gate: { hold: { requests: 1e99 } } }],
    ['something that this version does not know', { root: true }],
  ])('%s', async (_, node) => {
    changeManifest(dist, manifest => void Object.assign(manifest['recipe'] as LooseJson, { node }))
    expect((await refusal()).code).toBe('RECIPE_INVALID')
  })

  it('to have secrets in the arguments of a command, which everybody can read', async () => {
    const folder = await toy.cut({
      version: '2.0.0',
      node: { secrets: [{ name: 'KEY' }], setup: [{ run: ['/bin/echo', '${KEY}'] }] },
    })
    expect((await refusal(folder)).code).toBe('RECIPE_PLACEHOLDER')
  })

  it('to make configuration of a file of the machine, by a link that setup makes', async () => {
    const node = {
      setup: [{ run: 'ln -s /etc/hostname leak' }],
      files: [{ path: 'leaked', template: 'leak', mode: '0666' }],
    }
    const folder = await toy.cut({ version: '2.0.0', node })
    expect((await refusal(folder)).code).toBe('RELEASE_CHANGED')
    expect(fs.existsSync(path.join(toy.paths.shared, 'leaked'))).toBe(false)
  })

  it('to have a file of the machine removed that is in the place of its socket', async () => {
    const file = path.join(tempFolder(), 'passwd')
    fs.writeFileSync(file, 'root:x:0:0\n')
    const node = { ...servedNode(), gate: { listen: `unix:${file}` } }
    await put(await toy.cut({ version: '2.0.0', node, files: servedFiles }))
    await expect(startServing(toy.paths.root)).rejects.toThrow('GATE_ADDRESS_IN_USE')
    expect(fs.readFileSync(file, 'utf8')).toBe('root:x:0:0\n')
  })

  it('to change files of the payload while it is set up, which is found', async () => {
    const node = { setup: [{ run: 'chmod u+w z; printf Z > z' }] }
    await put(await toy.cut({ version: '2.0.0', node, files }))
    const checked = verify({ prefix: toy.paths.root, offline: true }, recordedTools())
    await expect(checked).rejects.toMatchObject({ code: 'VERIFY_FAILED', details: { content: ['releases/2.0.0/z'] } })
  })
})
