import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { hexOf } from '../../src/core/digest.ts'
import { cut } from '../../src/flow/cut.ts'
import { lockImages } from '../../src/flow/image-lock.ts'
import { rebuildRelease } from '../../src/flow/rebuild.ts'
import { parseReleaseRecord } from '../../src/payload/release-record.ts'
import type { ImageLock } from '../../src/recipe/image-lock.ts'
import { baseLayout, type TestDescriptor, tarOf } from '../support/base-layout.ts'
import { type FakeRegistry, fakeRegistry } from '../support/fake-registry.ts'
import type { TestRepository } from '../support/git-repository.ts'
import { makeRepository } from '../support/made-repository.ts'
import { pingRepository } from '../support/ping-app.ts'
import { type RecordedTools, recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

/** A repository whose image is put on a base. */
function repositoryOn(base: string, platforms = 'linux/amd64, linux/arm64'): TestRepository {
  const repository = pingRepository()
  const file = path.join(repository.folder, 'release.yaml')
  const oci = `oci: { base: "${base}", platforms: [${platforms}], `
  repository.commit('feat: build on a base', { 'release.yaml': fs.readFileSync(file, 'utf8').replace('oci: { ', oci) })
  return repository
}

async function lock({ folder: cwd, environment }: TestRepository, update = false): Promise<RecordedTools> {
  const tools = recordedTools()
  await lockImages({ cwd, environment, update, plainHttp: false }, tools)
  return tools
}

const lockOf = ({ folder }: TestRepository) =>
  JSON.parse(fs.readFileSync(path.join(folder, 'release.lock.json'), 'utf8')) as ImageLock

/** Cut a snapshot; hand back its folder. */
async function cutSnapshot(
  { folder: cwd, environment }: TestRepository,
  options: { readonly output?: string; readonly dryRun?: boolean } = {},
): Promise<string> {
  await cut({ cwd, environment, snapshot: true, dryRun: false, ...options }, recordedTools())
  const dist = options.output ?? path.join(cwd, 'dist')
  return path.join(dist, fs.existsSync(dist) ? fs.readdirSync(dist)[0]! : '')
}

const imageIn = (release: string) => path.join(release, fs.readdirSync(release).find(name => name.endsWith('.oci'))!)

/** What a layout says of its image, every document and blob looked at. */
function layersOf(folder: string): readonly (readonly string[])[] {
  type Document = {
    readonly manifests: TestDescriptor[]
    readonly layers: TestDescriptor[]
    readonly config: TestDescriptor
  }
  const file = ({ digest, size }: TestDescriptor) => {
    const found = path.join(folder, 'blobs/sha256', hexOf(digest))
    expect(fs.statSync(found).size).toBe(size)
    return found
  }
  const read = (descriptor: TestDescriptor) => JSON.parse(fs.readFileSync(file(descriptor), 'utf8')) as Document
  const { manifests } = JSON.parse(fs.readFileSync(path.join(folder, 'index.json'), 'utf8')) as Document
  return read(manifests[0]!).manifests.map(manifest => {
    const { config, layers } = read(manifest)
    return [config, ...layers].map(descriptor => path.basename(file(descriptor))).slice(1)
  })
}

/** Serve a layout under a tag. */
function publish(registry: FakeRegistry, folder: string, index: TestDescriptor, tag: string): void {
  for (const name of fs.readdirSync(path.join(folder, 'blobs/sha256'))) {
    const bytes = fs.readFileSync(path.join(folder, 'blobs/sha256', name))
    registry.blobs.set(`sha256:${name}`, bytes)
    const { mediaType } = bytes.toString().startsWith('{"') ? JSON.parse(bytes.toString()) : {}
    if (typeof mediaType === 'string') registry.manifests.set(`sha256:${name}`, { bytes, type: mediaType })
  }
  registry.manifests.set(tag, registry.manifests.get(index.digest)!)
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    caught => caught as { readonly code: string; readonly message: string; readonly hint: string },
  )

describe('an image on an image layout', () => {
  it('is locked, cut and published with the layers of the base', async () => {
    const base = path.join(tempFolder(), 'base')
    const index = baseLayout(base)
    const repository = repositoryOn(`oci:${base}:stable`)
    await lock(repository)
    expect(lockOf(repository)).toMatchObject({ schema: 1, bases: { [`oci:${base}:stable`]: { digest: index.digest } } })
    repository.commit('chore: lock')
    const vendor = await makeRepository(tempFolder(), { applications: ['ping'] })
    const release = await cutSnapshot(repository, { output: vendor.distFolder })
    const record = parseReleaseRecord(fs.readFileSync(path.join(release, 'release.json')))
    const image = record.components[0]?.artifacts.find(artifact => artifact.kind === 'oci')
    expect(image?.blobs.map(({ mediaType }) => mediaType)).toContain('application/vnd.oci.image.layer.v1.tar+gzip')
    await vendor.upload(record.version)
    const published = layersOf(path.join(vendor.folder, 'oci/ping'))
    expect(published).toEqual(layersOf(imageIn(release)))
    expect(published.map(layers => layers.length)).toEqual([3, 3])
  })

  it('is not begun before its base is locked, for all platforms', async () => {
    const base = path.join(tempFolder(), 'base')
    baseLayout(base)
    const repository = repositoryOn(`oci:${base}`, 'linux/amd64')
    expect(await failure(cutSnapshot(repository, { dryRun: true }))).toMatchObject({
      code: 'BASE_UNLOCKED',
      hint: expect.stringContaining('release image lock'),
    })
    await lock(repository)
    const recipe = fs.readFileSync(path.join(repository.folder, 'release.yaml'), 'utf8')
    repository.commit('feat: arm', { 'release.yaml': recipe.replace('[linux/amd64]', '[linux/amd64, linux/arm64]') })
    expect(await failure(cutSnapshot(repository, { dryRun: true }))).toMatchObject({
      code: 'BASE_UNLOCKED',
      message: expect.stringContaining('linux/arm64'),
    })
    await lock(repository)
    repository.commit('chore: lock')
    await cutSnapshot(repository, { dryRun: true })
  })

  it('is not made when the base is another one than that which was locked', async () => {
    const base = path.join(tempFolder(), 'base')
    const before = baseLayout(base)
    const repository = repositoryOn(`oci:${base}`)
    await lock(repository)
    repository.commit('chore: lock')
    fs.rmSync(base, { recursive: true })
    const after = baseLayout(base, { run: {} })
    const changed = await failure(cutSnapshot(repository))
    expect(changed).toMatchObject({ code: 'BASE_CHANGED', hint: expect.stringContaining('release image lock') })
    expect([before.digest, after.digest].filter(digest => changed?.message.includes(digest))).toHaveLength(2)
    expect(fs.readdirSync(path.join(repository.folder, 'dist'))).toEqual([])
    await lock(repository)
    expect(Object.values(lockOf(repository).bases)[0]?.digest).toBe(after.digest)
  })
})

it('an image on an archive is cut with its layers, and comes to the same bytes when it is built again', async () => {
  const folder = tempFolder()
  baseLayout(path.join(folder, 'base'))
  const members = fs.readdirSync(path.join(folder, 'base'), { recursive: true, withFileTypes: true })
  const archive = tarOf(
    members
      .filter(entry => entry.isFile())
      .map(entry => path.join(entry.parentPath, entry.name))
      .map(file => ({ path: path.relative(path.join(folder, 'base'), file), content: fs.readFileSync(file) })),
  )
  fs.writeFileSync(path.join(folder, 'base.tar'), archive)
  const repository = repositoryOn(`archive:../${path.basename(folder)}/base.tar:stable`, 'linux/arm64')
  const tools = await lock(repository)
  expect(tools.events.at(-1)).toMatchObject({ kind: 'run-done', changed: true })
  expect((await lock(repository)).events.at(-1)).toMatchObject({ kind: 'run-done', changed: false })
  repository.commit('chore: lock')
  const release = await cutSnapshot(repository)
  expect(layersOf(imageIn(release))[0]).toHaveLength(3)
  const { folder: cwd, environment } = repository
  const again = { cwd, environment, version: path.basename(release), distFolder: path.dirname(release) }
  await expect(rebuildRelease(again, recordedTools())).resolves.toBeUndefined()
})

describe('an image on one at a registry', () => {
  it('stays on what was locked when the tag moves, and needs no network for what is in the cache', async () => {
    const registry = await fakeRegistry()
    const [first, second] = [path.join(tempFolder(), 'a'), path.join(tempFolder(), 'b')]
    const index = baseLayout(first)
    publish(registry, first, index, 'stable')
    const name = `${registry.host}/example/base:stable`
    const repository = repositoryOn(name)
    await lock(repository)
    expect(lockOf(repository).bases[name]?.digest).toBe(index.digest)
    repository.commit('chore: lock')
    const moved = baseLayout(second, { run: {} })
    publish(registry, second, moved, 'stable')
    await lock(repository)
    expect(lockOf(repository).bases[name]?.digest).toBe(index.digest)
    const asked = registry.requests.length
    const image = imageIn(await cutSnapshot(repository))
    expect(registry.requests.length).toBe(asked)
    const annotations = fs
      .readdirSync(path.join(image, 'blobs/sha256'))
      .map(file => fs.readFileSync(path.join(image, 'blobs/sha256', file), 'latin1'))
      .filter(text => text.includes('org.opencontainers.image.base.name'))
    expect(annotations).toHaveLength(3)
    for (const text of annotations) expect(text).toContain(`"org.opencontainers.image.base.name":"${name}"`)
    await lock(repository, true)
    expect(lockOf(repository).bases[name]?.digest).toBe(moved.digest)
  })

  it('fetches by digest what the cache has not, or no longer whole', async () => {
    const registry = await fakeRegistry()
    const base = path.join(tempFolder(), 'a')
    publish(registry, base, baseLayout(base), 'stable')
    const repository = repositoryOn(`${registry.host}/example/base:stable`, 'linux/amd64')
    await lock(repository)
    repository.commit('chore: lock')
    registry.manifests.delete('stable')
    const cache = path.join(repository.environment['HOME']!, '.cache/cutover/blobs/sha256')
    const [damaged = '', missing = ''] = fs.readdirSync(cache).sort()
    fs.writeFileSync(path.join(cache, damaged), fs.readFileSync(path.join(cache, damaged)).fill(0))
    fs.rmSync(path.join(cache, missing))
    fs.rmSync(path.join(cache, '../../images'), { recursive: true })
    registry.requests.length = 0
    expect(layersOf(imageIn(await cutSnapshot(repository)))[0]).toHaveLength(3)
    const asked = registry.requests.map(request => request.path)
    expect(asked).toContain(`blobs/sha256:${damaged}`)
    expect(asked.filter(each => !/^(manifests|blobs)\/sha256:/.test(each))).toEqual([])
  })
})
