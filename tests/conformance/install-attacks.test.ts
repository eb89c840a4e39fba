/*
 * Attacks on an installation by whoever answers for its repository or a mirror. Each ends in an error that says so, or the bytes are taken from
 * elsewhere; what is installed stays as it was, and nothing is written outside of the prefix.
 */
import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ReleaseError } from '../../src/core/error.ts'
import { init } from '../../src/flow/init.ts'
import { install } from '../../src/flow/install.ts'
import { readIdentity, writeIdentity } from '../../src/prefix/identity.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import {
  compressed,
  endless,
  flipped,
  honest,
  hugeLength,
  insteadOf,
  type Lie,
  type LyingServer,
  lyingServer,
  redirectTo,
} from '../support/lying-server.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { noise } from '../support/payload.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { cutToy } from '../support/toy-release.ts'

const base = tempFolder()
let vendor: MadeRepository
let repository: LyingServer
let mirror: LyingServer
/** With 1.0.0, installed before 1.1.0 was published. */
let template: PrefixPaths
/** The repository as it was then. */
const older = path.join(base, 'older')

beforeAll(async () => {
  vendor = await makeRepository(path.join(base, 'vendor'), { applications: ['toy', 'other'] })
  repository = await lyingServer(vendor.folder)
  mirror = await lyingServer(vendor.folder)
  await cutToy(vendor.distFolder, { version: '1.0.0', files: { 'a.bin': noise(50_000) } })
  await vendor.upload('1.0.0')
  template = prefixPaths(path.join(base, 'prefix'))
  const prefix = { prefix: template.root, repository: repository.url, application: 'toy' }
  await init({ ...prefix, cutover: ['/usr/bin/node', '/opt/cutover.js'] }, recordedTools())
  await install({ prefix: template.root, version: '1.0.0' }, recordedTools())
  fs.cpSync(vendor.folder, older, { recursive: true })
  await cutToy(vendor.distFolder, { version: '1.1.0', files: { 'a.bin': noise(50_000, 2) } })
  await vendor.upload('1.1.0')
})
afterEach(() => {
  repository.lies.clear()
  mirror.lies.clear()
})

/** A prefix of its own, with 1.0.0. */
function installed(mirrors: readonly string[] = []): PrefixPaths {
  const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
  fs.cpSync(template.root, paths.root, { recursive: true, verbatimSymlinks: true })
  if (mirrors.length > 0) writeIdentity(paths, { ...readIdentity(paths), settings: { mirrors } })
  return paths
}

const upgrade = async (paths: PrefixPaths, tools = recordedTools()) => {
  await install({ prefix: paths.root, version: '1.1.0' }, tools)
  return tools.events
}

/** Try to install 1.1.0, in vain. Post: 1.0.0 is as it was, and nothing of 1.1.0 counts as a release. */
async function refusal(paths = installed()): Promise<ReleaseError> {
  const error = await upgrade(paths).catch(caught => caught)
  if (!(error instanceof ReleaseError) || error.code === 'INTERNAL') throw new Error('not refused', { cause: error })
  expect(fs.readlinkSync(paths.current)).toBe('releases/1.0.0')
  expect(fs.readdirSync(paths.releases).filter(name => !name.startsWith('.'))).toEqual(['1.0.0'])
  expect(fs.readFileSync(path.join(paths.current, 'a.bin'))).toEqual(noise(50_000))
  return error
}

/** A file of the repository as it was, the last that has this in its name. */
const olderFile = (part: string) => {
  const folder = path.join(older, path.dirname(part))
  const name = fs.readdirSync(folder).findLast(each => each.includes(path.basename(part)))
  return fs.readFileSync(path.join(folder, name!))
}
const manifest = 'toy-1.1.0.manifest.zst'
const record = 'targets/toy/1.1.0/'

describe('a repository that lies about files of a release', () => {
  it.each<[string, string, Lie, string | RegExp]>([
    ['sends other bytes in a segment', '.tar.zst', flipped, 'SEGMENT_DIGEST'],
    ['sends other bytes for the manifest', manifest, flipped, 'SEGMENT_DIGEST'],
    [
      'sends the manifest of another version',
      manifest,
      insteadOf(() => olderFile('pool/toy/1.0.0/toy-1.0.0.manifest')),
      /SEGMENT_DIGEST|HTTP_TOO_LARGE|SEGMENT_SHORT/,
    ],
    ['sends other bytes for the record', record, flipped, 'TRUST_MISMATCH'],
    [
      'sends the record of another version',
      record,
      insteadOf(() => olderFile('targets/toy/1.0.0/release.json')),
      /TRUST_MISMATCH|HTTP_TOO_LARGE/,
    ],
    ['sends a manifest without end', manifest, endless, 'HTTP_TOO_LARGE'],
    ['sends a record without end', record, endless, 'HTTP_TOO_LARGE'],
    ['sends segments without end', '.tar.zst', endless, 'SEGMENT_DIGEST'],
    ['announces ten terabytes for the manifest', manifest, hugeLength, 'HTTP_TOO_LARGE'],
    [
      'sends a bomb that its headers say is compressed',
      manifest,
      compressed(zlib.gzipSync(Buffer.alloc(2 ** 24))),
      'HTTP_ENCODED',
    ],
    ['sends us to a file of this machine', manifest, redirectTo('file:///etc/hostname'), 'HTTP_REDIRECT'],
    ['sends us in a circle', manifest, redirectTo(`/pool/toy/1.1.0/${manifest}`), 'HTTP_REDIRECT'],
  ])('%s', async (_, part, lie, code) => {
    repository.lies.set(part, lie)
    if (part === '.tar.zst') repository.lies.set('oci/toy/blobs', lie)
    const before = repository.sentBytes()
    expect((await refusal()).code).toMatch(code)
    // What is thrown away is little more than what was on the way.
    expect(repository.sentBytes() - before).toBeLessThan(16 * 2 ** 20)
  })

  it('has none of the segments', async () => {
    const gone: Lie = response => void response.writeHead(404).end()
    for (const part of ['.tar.zst', 'oci/toy/blobs']) repository.lies.set(part, gone)
    expect((await refusal()).code).toBe('SEGMENT_MISSING')
  })
})

describe('a repository that lies about what was signed', () => {
  const trustError = expect.stringMatching(/^TRUST_/)

  it('goes back to metadata of before, which this server knows better', async () => {
    const paths = installed()
    await upgrade(paths)
    repository.lies.set(
      'metadata/timestamp.json',
      insteadOf(() => olderFile('metadata/timestamp.json')),
    )
    const error = await install({ prefix: paths.root }, recordedTools()).catch(caught => caught)
    expect(error).toMatchObject({ code: 'TRUST_ROLLBACK' })
    expect(fs.readlinkSync(paths.current)).toBe('releases/1.1.0')
  })

  it.each<[string, string, Lie]>([
    [
      'changes the timestamp',
      'metadata/timestamp.json',
      insteadOf(truth => Buffer.from(String(truth).replace('2', '3'))),
    ],
    [
      'puts a snapshot of before behind a timestamp of now',
      '.snapshot.json',
      insteadOf(() => olderFile('metadata/.snapshot.json')),
    ],
    [
      'puts a list of releases of before behind a snapshot of now',
      '.application-toy.json',
      insteadOf(() => olderFile('metadata/.application-toy.json')),
    ],
    [
      'lists the releases of another application',
      'targets/toy/',
      insteadOf(() => olderFile('targets/other/releases.json')),
    ],
    [
      'signs with nobody’s key',
      '.snapshot.json',
      insteadOf(truth => Buffer.from(String(truth).replace(/"sig":"../, '"sig":"00'))),
    ],
    ['sends no JSON', 'metadata/timestamp.json', insteadOf(() => Buffer.from('<html>'))],
  ])('%s', async (_, part, lie) => {
    repository.lies.set(part, lie)
    expect(await refusal()).toMatchObject({ code: trustError, exitCode: 3 })
  })

  it('sends a timestamp without end', async () => {
    repository.lies.set('metadata/timestamp.json', endless)
    expect((await refusal()).code).toBe('HTTP_TOO_LARGE')
  })
})

describe('a mirror that lies, before a repository that does not', () => {
  it.each<[string, Lie]>([
    ['sends other bytes', flipped],
    ['sends without end', endless],
    ['sends us to a file of this machine', redirectTo('file:///etc/hostname')],
    ['says that it sends compressed bytes', compressed(zlib.gzipSync('x'))],
    [
      'breaks off',
      (response, { truth }) =>
        void response.writeHead(200, { 'content-length': 9e9 }).write(truth!, () => response.destroy()),
    ],
    ['refuses', response => void response.writeHead(403).end()],
  ])('%s: it is told, and given up', async (_, lie) => {
    for (const part of ['pool/', 'oci/']) mirror.lies.set(part, lie)
    const paths = installed([mirror.url])
    const events = await upgrade(paths)
    expect(fs.readFileSync(path.join(paths.current, 'a.bin'))).toEqual(noise(50_000, 2))
    const warned = events.filter(event => event.kind === 'warning')
    expect(warned.some(({ message }) => message.includes(mirror.url))).toBe(true)
    expect(mirror.requests.length).toBeGreaterThan(0)
  })

  it('sends us to a service that listens for this machine alone: it is not asked', async () => {
    const inner = await lyingServer(vendor.folder)
    for (const part of ['pool/', 'oci/']) mirror.lies.set(part, redirectTo(`${inner.url}/internal`))
    const paths = installed(['http://mirror.example'])
    const before = process.env['http_proxy']
    // Whoever answers for the name.
    process.env['http_proxy'] = mirror.url
    try {
      const events = await upgrade(paths)
      expect(events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'HTTP_REDIRECT' }))
    } finally {
      if (before === undefined) delete process.env['http_proxy']
      else process.env['http_proxy'] = before
    }
    expect(inner.requests).toEqual([])
  })

  it('is asked for no metadata, however much it has', async () => {
    mirror.lies.set('', honest)
    mirror.requests.length = 0
    await upgrade(installed([mirror.url]))
    expect(mirror.requests.filter(key => /^(metadata|targets)\//.test(key))).toEqual([])
    expect(mirror.requests).not.toEqual([])
  })
})
