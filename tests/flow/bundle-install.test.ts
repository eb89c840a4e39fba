import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import type { ReleaseError } from '../../src/core/error.ts'
import { init } from '../../src/flow/init.ts'
import { install } from '../../src/flow/install.ts'
import { resolveFromBundle } from '../../src/flow/install-bundle.ts'
import { type BundleResult, bundleReleases } from '../../src/flow/repository-bundle.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { createDelta } from '../../src/payload/delta/create.ts'
import { parseReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { listBundle } from '../../src/sys/bundle-file.ts'
import { startStaticServer } from '../../src/sys/static-server.ts'
import { pinRoot } from '../../src/trust/client.ts'
import { codeOfAsync } from '../support/codes.ts'
import { cutTree } from '../support/cut-tree.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { testTree } from '../support/payload.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { cutToy } from '../support/toy-release.ts'

const [first, second, third] = ['1.0.0-dev.1', '1.0.0-dev.2', '1.0.0-dev.3'] as const
const base = tempFolder()
let repository: MadeRepository
let bundle: string
let made: BundleResult
/** A prefix that has pinned the repository, whose server is gone. */
let pinned: string

beforeAll(async () => {
  repository = await makeRepository(base, { applications: ['toy'] })
  await publish(repository, first)
  pinned = await pinnedPrefix(repository, path.join(base, 'pinned'))
  await publish(repository, second)
  bundle = path.join(base, 'toy.bundle')
  made = await makeBundle(bundle, { versions: [first, second] })
})

afterEach(() => void vi.useRealTimers())

async function publish(to: MadeRepository, version: string): Promise<void> {
  await cutToy(to.distFolder, { version, files: { 'a.txt': `a of ${version}`.repeat(500) } })
  await to.upload(version)
}

async function pinnedPrefix({ folder }: MadeRepository, prefix: string): Promise<string> {
  const server = await startStaticServer({ root: folder, host: '127.0.0.1', port: 0 })
  await init({ prefix, repository: server.url, application: 'toy', cutover: ['/bin/false'] }, recordedTools())
  await server.close()
  return prefix
}

async function makeBundle(
  output: string,
  options: Partial<Parameters<typeof bundleReleases>[0]> = {},
): Promise<BundleResult> {
  const tools = recordedTools()
  const common = { cwd: base, environment: { PATH: process.env['PATH'] }, repository: repository.folder }
  await bundleReleases({ ...common, keys: repository.keys, output, versions: [], deltasFrom: [], ...options }, tools)
  return tools.result<BundleResult>()
}

/** A copy of the pinned prefix, which knows of the first release. */
function freshPrefix(): PrefixPaths {
  const folder = path.join(tempFolder(), 'prefix')
  fs.cpSync(pinned, folder, { recursive: true })
  return prefixPaths(folder)
}

/** The same with what another prefix knows of the repository. */
function freshWith(trust: string): PrefixPaths {
  const paths = freshPrefix()
  fs.cpSync(trust, paths.trust, { recursive: true })
  return paths
}

function installFrom(from: string, paths: PrefixPaths, options: { version?: string; channel?: string } = {}) {
  return install({ prefix: paths.root, from, ...options }, recordedTools())
}

/** What an operator would call changed: the releases, the link to the active one. */
function stateOf(paths: PrefixPaths): unknown {
  // What is hidden is of use to the next attempt alone.
  const releases = fs.readdirSync(paths.releases).filter(name => !name.startsWith('.'))
  return { releases, active: currentVersion(paths) }
}

const untouched = { releases: [], active: undefined }

/** The place of a member in the bundle, by a part of its key. */
function placeOf(key: RegExp) {
  const [found] = [...listBundle(bundle)].filter(([name]) => key.test(name))
  return found![1]
}

/** A copy of the bundle with a byte changed. */
function changedAt(position: number): string {
  const bytes = fs.readFileSync(bundle)
  bytes[position]! ^= 0x01
  const file = path.join(tempFolder(), 'changed.bundle')
  fs.writeFileSync(file, bytes)
  return file
}

describe('release bundle', () => {
  it('puts in what a server needs and nothing else', () => {
    const names = made.files.map(({ key }) => key.replace(/[0-9a-f]{64}\./, ''))
    expect(names).toEqual([
      'bundle.json',
      'metadata/1.root.json',
      'metadata/1.targets.json',
      'metadata/3.application-toy.json',
      'metadata/3.snapshot.json',
      'metadata/root.json',
      'metadata/timestamp.json',
      `pool/toy/${first}/toy-${first}.manifest.zst`,
      `pool/toy/${first}/toy-${first}.tar.zst`,
      `pool/toy/${second}/toy-${second}.manifest.zst`,
      `pool/toy/${second}/toy-${second}.tar.zst`,
      'targets/repository.json',
      `targets/toy/${first}/release.json`,
      `targets/toy/${second}/release.json`,
      'targets/toy/releases.json',
      expect.stringMatching(/^targets\/toy\/channels\//),
      expect.stringMatching(/^targets\/toy\/channels\//),
      expect.stringMatching(/^targets\/toy\/channels\//),
    ])
    expect([...listBundle(bundle).keys()]).toEqual(made.files.map(({ key }) => key))
    expect(made).toMatchObject({ application: 'toy', versions: [first, second], fingerprint: repository.fingerprint })
    expect(digestOf(fs.readFileSync(bundle))).toBe(made.digest)
  })

  it('gives the same bytes again, also without the keys, and for a repository that is reached over HTTP', async () => {
    const again = path.join(base, 'again.bundle')
    const withoutKeys = { versions: [second, first, second], keys: path.join(base, 'none') }
    expect((await makeBundle(again, withoutKeys)).digest).toBe(made.digest)
    const server = await startStaticServer({ root: repository.folder, host: '127.0.0.1', port: 0 })
    const overHttp = await makeBundle(again, { versions: [first, second], repository: server.url })
    await server.close()
    expect(overHttp.digest).toBe(made.digest)
    expect(fs.readdirSync(base).filter(name => name.endsWith('.tmp'))).toEqual([])
  })

  it('takes the newest that a channel offers, and is a repository when it is unpacked', async () => {
    const file = path.join(base, 'newest.bundle')
    expect((await makeBundle(file, { channel: 'edge' })).versions).toEqual([second])
    const folder = path.join(base, 'unpacked')
    fs.mkdirSync(folder)
    execFileSync('tar', ['-xf', file, '-C', folder])
    const { fingerprint } = await pinRoot({ folder: tempFolder(), repositoryUrl: pathToFileURL(folder).href })
    expect(fingerprint).toBe(repository.fingerprint)
  })

  it('leaves what was there when it fails', async () => {
    const damaged = path.join(base, 'damaged')
    fs.cpSync(repository.folder, damaged, { recursive: true })
    const tarball = path.join(damaged, `pool/toy/${second}/toy-${second}.tar.zst`)
    const bytes = fs.readFileSync(tarball)
    bytes[20]! ^= 1
    fs.rmSync(tarball)
    fs.writeFileSync(tarball, bytes)
    const file = path.join(tempFolder(), 'x.bundle')
    fs.writeFileSync(file, 'what was there')
    expect(await codeOfAsync(makeBundle(file, { versions: [second], repository: damaged }))).toBe('TRUST_MISMATCH')
    expect(fs.readFileSync(file, 'utf8')).toBe('what was there')
    expect(fs.readdirSync(path.dirname(file))).toEqual(['x.bundle'])
  })

  it.each([
    ['RELEASE_UNKNOWN', { versions: ['9.9.9'] }],
    ['RELEASE_UNKNOWN', { channel: 'stable' }],
    ['RELEASE_UNKNOWN', { versions: [second], deltasFrom: [first] }],
    ['CHANNEL_UNKNOWN', { channel: 'nightly' }],
    ['USAGE', { versions: [second], channel: 'edge' }],
    ['TRUST_PIN', { versions: [second], fingerprint: 'ab'.repeat(32) }],
    ['VERSION_INVALID', { versions: ['newest'] }],
  ] as const)('refuses with %s: %j', async (code, options) => {
    expect(await codeOfAsync(makeBundle(path.join(base, 'refused.bundle'), options))).toBe(code)
    expect(fs.existsSync(path.join(base, 'refused.bundle'))).toBe(false)
  })

  it('refuses a repository that servers do not believe any more', async () => {
    const late = recordedTools({ nowMs: Date.now() + 400 * 86_400_000 })
    const options = { cwd: base, environment: {}, repository: repository.folder, keys: repository.keys }
    const output = path.join(base, 'refused.bundle')
    const making = bundleReleases({ ...options, output, versions: [second], deltasFrom: [] }, late)
    expect(await codeOfAsync(making)).toBe('METADATA_EXPIRING')
  })
})

describe('install --from', () => {
  it('installs the newest without asking anybody, then any other that is in there', async () => {
    const paths = freshPrefix()
    const result = await installFrom(bundle, paths)
    expect(result).toMatchObject({ version: second, changed: true })
    expect(result.fetchedBytes).toBeGreaterThan(0)
    expect(await installFrom(bundle, paths)).toMatchObject({ version: second, changed: false })
    expect(await codeOfAsync(installFrom(bundle, paths, { version: first }))).toBe('DOWNGRADE')
    const back = { prefix: paths.root, from: bundle, version: first, allowDowngrade: true }
    expect(await install(back, recordedTools())).toMatchObject({ from: second, version: first, changed: true })
    expect(fs.readFileSync(path.join(paths.current, 'a.txt'), 'utf8')).toContain(`a of ${first}`)
  })

  it('brings metadata that the server goes on from', async () => {
    const paths = freshPrefix()
    const before = fs.readFileSync(path.join(paths.trust, 'timestamp.json'))
    await publish(repository, third)
    const newer = path.join(base, 'newer.bundle')
    await makeBundle(newer, { versions: [third] })
    expect(await installFrom(newer, paths)).toMatchObject({ version: third, changed: true })
    expect(fs.readFileSync(path.join(paths.trust, 'timestamp.json'))).not.toEqual(before)
    // The older bundle has bytes of releases that the newer metadata lists as well, and nothing else to say.
    const tools = recordedTools()
    const older = { prefix: paths.root, from: bundle, version: second }
    expect(await codeOfAsync(install({ ...older, allowDowngrade: true }, tools))).toBe('TRUST_ROLLBACK')
    expect(tools.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'TRUST_ROLLBACK' }))
    expect(await installFrom(bundle, freshWith(paths.trust), { version: second })).toMatchObject({ version: second })
    // What is known here has expired by then as well.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 40 * 86_400_000 })
    expect(await codeOfAsync(installFrom(bundle, freshWith(paths.trust), { version: second }))).toBe('TRUST_ROLLBACK')
  })

  it('refuses a bundle that has expired', async () => {
    const paths = freshPrefix()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 400 * 86_400_000 })
    const error = await installFrom(bundle, paths).catch((caught: ReleaseError) => caught)
    expect(error).toMatchObject({ code: 'TRUST_EXPIRED', hint: expect.stringContaining('release bundle') })
    expect(stateOf(paths)).toEqual(untouched)
  })

  it('refuses what is not in there, or of another application or repository', async () => {
    const paths = freshPrefix()
    expect(await codeOfAsync(installFrom(bundle, paths, { version: '9.9.9' }))).toBe('RELEASE_UNKNOWN')
    expect(await codeOfAsync(installFrom(bundle, paths, { channel: 'nightly' }))).toBe('CHANNEL_UNKNOWN')
    expect(await codeOfAsync(installFrom(path.join(base, 'none'), paths))).toBe('BUNDLE_UNKNOWN')
    const foreign = await makeRepository(path.join(base, 'foreign'), { applications: ['toy', 'notes'] })
    await publish(foreign, first)
    const tree = testTree(tempFolder(), { 'a.txt': 'a' })
    const recipe = { schema: 1, name: 'notes', node: {}, environments: { production: {} } }
    await cutTree(foreign.distFolder, { name: 'notes', version: second, tree, recipe })
    await foreign.upload(second)
    const place = { repository: foreign.folder, keys: foreign.keys }
    const file = path.join(base, 'foreign.bundle')
    await makeBundle(file, { ...place, application: 'toy', versions: [first] })
    expect(await codeOfAsync(installFrom(file, paths))).toBe('TRUST_SIGNATURE')
    await makeBundle(file, { ...place, application: 'notes', versions: [second] })
    expect(await codeOfAsync(installFrom(file, paths))).toBe('RELEASE_UNKNOWN')
    expect(stateOf(paths)).toEqual(untouched)
  })
})

describe('a delta pack in a bundle', () => {
  it('is there when it was asked for, and is what an upgrade takes', async () => {
    const vendor = await makeRepository(path.join(base, 'deltas'), { applications: ['toy'] })
    await publish(vendor, first)
    const folders = [path.join(vendor.distFolder, first), await cutToy(vendor.distFolder, { version: second })] as const
    await addDelta(folders[0], folders[1])
    await vendor.upload(second)
    const place = { repository: vendor.folder, keys: vendor.keys, versions: [first, second] }
    const [plain, withDelta] = [path.join(base, 'plain.bundle'), path.join(base, 'delta.bundle')]
    await makeBundle(plain, place)
    await makeBundle(withDelta, { ...place, deltasFrom: [first] })
    const paths = prefixPaths(await pinnedPrefix(vendor, path.join(tempFolder(), 'prefix')))
    const { signal } = new AbortController()
    const offered = async (file: string) =>
      (await resolveFromBundle({ file, trustFolder: paths.trust }, signal).release('toy', second)).deltas
    expect(await offered(plain)).toEqual([])
    expect(await offered(withDelta)).toMatchObject([{ fromVersion: first }])
    await installFrom(withDelta, paths, { version: first })
    expect(await installFrom(withDelta, paths)).toMatchObject({ from: first, version: second, changed: true })
  })
})

/** Make a delta pack between two releases of `dist`, and name it in the record of the later. */
async function addDelta(oldFolder: string, newFolder: string): Promise<void> {
  const side = async (folder: string) => {
    const version = path.basename(folder)
    const release = await resolveFromFolder(folder).release('toy', version)
    const { manifest } = await release.manifest()
    return { manifest, source: await release.source(manifest, () => {}) }
  }
  const file = path.join(newFolder, `toy-${second}-from-${first}.delta`)
  const delta = await createDelta({ old: await side(oldFolder), new: await side(newFolder), file })
  const recordFile = path.join(newFolder, 'release.json')
  const record = parseReleaseRecord(fs.readFileSync(recordFile))
  const [component] = record.components
  const components = [{ ...component!, artifacts: [...component!.artifacts, delta] }]
  fs.writeFileSync(recordFile, recordBytes({ ...record, components }))
}

describe('init --from', () => {
  const asked = { cutover: ['/bin/false'] }

  it('makes a prefix on a server that has never reached the repository', async () => {
    const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
    const options = { ...asked, prefix: paths.root, from: bundle, rootFingerprint: repository.fingerprint }
    const result = await init(options, recordedTools())
    expect(result).toMatchObject({ application: 'toy', fingerprint: repository.fingerprint, changed: true })
    expect(result.repository).not.toContain('bundle')
    expect(await installFrom(bundle, paths)).toMatchObject({ version: second, changed: true })
  })

  it('refuses another root than the one that the vendor tells, and what is no bundle', async () => {
    const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
    const options = { ...asked, prefix: paths.root }
    const other = { ...options, from: bundle, rootFingerprint: 'ab'.repeat(32) }
    expect(await codeOfAsync(init(other, recordedTools()))).toBe('TRUST_PIN')
    expect(await codeOfAsync(init({ ...options, from: import.meta.filename }, recordedTools()))).toBe('BUNDLE_INVALID')
    expect(await codeOfAsync(init(options, recordedTools()))).toBe('USAGE')
    expect(fs.existsSync(paths.identity)).toBe(false)
  })
})

describe('a bundle that was tampered with', () => {
  const members: readonly (readonly [RegExp, readonly string[]])[] = [
    [/timestamp/, ['TRUST_SIGNATURE', 'TRUST_METADATA']],
    [/snapshot/, ['TRUST_MISMATCH']],
    [/3.application/, ['TRUST_MISMATCH']],
    [/releases.json/, ['TRUST_MISMATCH']],
    [/dev.2\/.*release.json/, ['TRUST_MISMATCH']],
    [/dev.2.*manifest/, ['SEGMENT_DIGEST']],
    [/dev.2.*tar/, ['SEGMENT_DIGEST', 'SEGMENT_DECODE']],
  ]

  it.each(members)('is refused at any byte of %s', async (key, codes) => {
    const { start, sizeBytes } = placeOf(key)
    const paths = freshPrefix()
    // What stands before and behind the segments of a tarball is read by nobody.
    for (const at of String(key).includes('tar') ? [80, sizeBytes >> 1] : [0, sizeBytes >> 1, sizeBytes - 1]) {
      expect(codes).toContain(await codeOfAsync(installFrom(changedAt(start + at), paths)))
      expect(stateOf(paths)).toEqual(untouched)
    }
  })

  it('is refused at any byte of a header', async () => {
    const header = placeOf(/timestamp/).start - 512
    for (let at = 0; at < 512; at += 23) {
      expect(await codeOfAsync(installFrom(changedAt(header + at), freshPrefix()))).toBe('BUNDLE_INVALID')
    }
  })

  it('is refused wherever it is cut off, and where its description lies', async () => {
    const bytes = fs.readFileSync(bundle)
    const file = path.join(tempFolder(), 'cut.bundle')
    const paths = freshPrefix()
    for (const part of [0, 0.1, 0.5, 0.9, 0.999]) {
      fs.writeFileSync(file, bytes.subarray(0, Math.floor(bytes.byteLength * part)))
      expect(await codeOfAsync(installFrom(file, paths))).toBe('BUNDLE_INVALID')
    }
    const described = bytes.toString('latin1').replace(`"version": "${second}"`, '"version": "1.0.0-dev.7"')
    fs.writeFileSync(file, described, 'latin1')
    expect(await codeOfAsync(installFrom(file, paths, { version: '1.0.0-dev.7' }))).toBe('RELEASE_UNKNOWN')
    expect(stateOf(paths)).toEqual(untouched)
  })
})
