import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Digest, digestOf } from '../../src/core/digest.ts'
import { downloadBlob } from '../../src/registry/blobs.ts'
import { openClient } from '../../src/registry/client.ts'
import { mediaTypes } from '../../src/registry/document.ts'
import { lookAtImage } from '../../src/registry/look.ts'
import { getManifest } from '../../src/registry/manifests.ts'
import { pullImage } from '../../src/registry/pull.ts'
import { type PushOptions, pushImage } from '../../src/registry/push.ts'
import { parseReference } from '../../src/registry/reference.ts'
import { listReferrers } from '../../src/registry/referrers.ts'
import { listTags } from '../../src/registry/tags.ts'
import { parsePlatform } from '../../src/registry/walk.ts'
import { codeOfAsync } from '../support/codes.ts'
import { cutDownload, type FakeRegistry, fakeRegistry, fill, status } from '../support/fake-registry.ts'
import { type MadeImage, makeImage } from '../support/made-image.ts'
import { type RecordedRegistryTools, registryTools } from '../support/registry-tools.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
const newFolder = () => fs.mkdtempSync(path.join(base, 'part-'))

const layerBytes = 300_000
const folder = newFolder()
const image = makeImage({ folder: path.join(folder, 'image'), layerBytes, referrers: ['one', 'two'] })
const layer = fs.readFileSync(image.file(image.layer.digest))

let fake: FakeRegistry
let tools: RecordedRegistryTools
beforeEach(async () => {
  fake = await fakeRegistry()
  tools = registryTools()
})

const common = { plainHttp: false, environment: {}, onProgress: () => {} }
const name = () => ({ registry: fake.host, repository: 'team/app' })
const push = (options: Partial<PushOptions> = {}) =>
  pushImage({ ...common, folder: image.folder, name: name(), tags: ['1.0.0'], ...options }, tools)
const pull = (made: MadeImage, to: string, options: object = {}) => {
  const reference = parseReference(`${fake.host}/team/app@${made.digest}`)
  return pullImage({ ...common, reference, folder: to, ...options }, tools)
}
const client = () => openClient({ name: name(), actions: 'pull', plainHttp: false, environment: {} }, tools)
/** Bytes of the layer that arrived, as often as they were sent. */
const sentBytes = () => fake.requests.reduce((sum, request) => sum + request.bodyBytes, 0)

function expectWhole(): void {
  for (const digest of [image.digest, ...image.manifests, ...image.referrers]) {
    expect(digestOf(fake.manifests.get(digest)!.bytes)).toBe(digest)
  }
  expect(fake.blobs.get(image.layer.digest)).toEqual(layer)
  expect(fake.manifests.get('1.0.0')!.bytes).toEqual(fs.readFileSync(image.file(image.digest)))
}

describe('a push', () => {
  it('brings blobs, then manifests, then the tag, then what refers to the image', async () => {
    const report = await push()
    expectWhole()
    expect(report).toMatchObject({ isUnchanged: false, movedTags: ['1.0.0'], wroteReferrersTag: false })
    const puts = fake.log().filter(line => line.startsWith('PUT'))
    const lastBlob = puts.findLastIndex(
      line => line.includes('uploads') && puts.indexOf('PUT manifests/1.0.0') > puts.indexOf(line),
    )
    const manifests = puts.filter(line => line.includes('manifests/'))
    expect(manifests[2]).toBe('PUT manifests/1.0.0')
    expect(manifests).toHaveLength(5)
    expect(lastBlob).toBeLessThan(puts.indexOf(manifests[0]!))
  })

  it('sends nothing the second time', async () => {
    await push()
    fake.requests.length = 0
    const report = await push()
    expect(report).toMatchObject({ isUnchanged: true, sentManifests: 0, movedTags: [] })
    expect(new Set(fake.requests.map(({ method }) => method))).toEqual(new Set(['HEAD', 'GET']))
  })

  it('moves a tag that names another image', async () => {
    const other = makeImage({ folder: path.join(newFolder(), 'other'), seed: 'b' })
    await push()
    await push({ folder: other.folder })
    expect(digestOf(fake.manifests.get('1.0.0')!.bytes)).toBe(other.digest)
  })

  it('tells how far it is, up to the end', async () => {
    const told: [number, number][] = []
    await push({ onProgress: (done, total) => told.push([done, total]) })
    const [done, total] = told.at(-1)!
    expect(done).toBe(total)
    expect(total).toBeGreaterThan(layer.length)
  })

  it('goes on where a connection was cut', async () => {
    fake.settings.cutUploads = { afterBytes: 100_000, times: 1 }
    await push()
    expectWhole()
    expect(fake.log().filter(line => line.startsWith('PATCH'))).not.toHaveLength(0)
    expect(sentBytes()).toBeLessThan(layer.length * 1.2)
  })

  it('starts over where the registry has forgotten the upload', async () => {
    fake.settings.cutUploads = { afterBytes: 100_000, times: 1 }
    fake.fail('GET', /uploads\//, (_request, response) => {
      fake.forgetUploads()
      response.writeHead(404).end()
    })
    await push()
    expectWhole()
  })

  it('goes in chunks where that is asked for, no smaller than the registry takes', async () => {
    fake.settings.smallestChunkBytes = 90_000
    await push({ largestWholeBytes: 0, chunkBytes: 50_000 })
    expectWhole()
    const chunks = fake.requests.filter(({ method, bodyBytes }) => method === 'PATCH' && bodyBytes > 1000)
    expect(chunks.map(({ bodyBytes }) => bodyBytes)).toEqual([90_000, 90_000, 90_000, layer.length - 270_000])
  })

  it('believes the registry about how much has arrived', async () => {
    fake.fail('PATCH', /uploads\//, status(416, { connection: 'close' }))
    await push({ largestWholeBytes: 0, chunkBytes: 100_000 })
    expectWhole()
  })

  it('makes smaller what is too long for something in between', async () => {
    const large = makeImage({ folder: path.join(newFolder(), 'large'), layerBytes: 3_000_000 })
    fake.settings.largestBodyBytes = 2_000_000
    await push({ folder: large.folder })
    expect(fake.blobs.get(large.layer.digest)).toEqual(fs.readFileSync(large.file(large.layer.digest)))
  })

  it('ends when a registry takes bytes and never has them', async () => {
    fake.fail(
      'PATCH',
      /uploads\//,
      status(202, { location: '/v2/team/app/blobs/uploads/1?state=1%2F~a', range: '0-0' }),
      99,
    )
    expect(await codeOfAsync(push({ largestWholeBytes: 0 }))).toBe('REGISTRY_UNAVAILABLE')
    expect(fake.requests.filter(({ method }) => method === 'PATCH').length).toBeLessThan(30)
  })

  it('goes to absolute locations as to relative ones', async () => {
    fake.settings.absoluteLocations = true
    await push()
    expectWhole()
  })

  it('is content with registries that tell no length', async () => {
    fake.settings.headWithoutLength = true
    await push()
    expect((await push()).isUnchanged).toBe(true)
  })

  it('takes over the layers of a base image from its repository', async () => {
    const baseLayer = Buffer.alloc(10_240, 1)
    const baseName = `${fake.host}/team/base:1`
    const derived = makeImage({ folder: path.join(newFolder(), 'derived'), baseLayer, baseName })
    const [base] = fs.readdirSync(path.join(derived.folder, 'blobs', 'sha256')).flatMap(hex => {
      const digest: Digest = `sha256:${hex}`
      return fs.statSync(derived.file(digest)).size < 200 && digest !== derived.layer.digest ? [digest] : []
    })
    fake.mountable.set(`team/base ${base}`, fs.readFileSync(derived.file(base!)))
    const { blobs } = await push({ folder: derived.folder })
    expect(blobs.find(({ digest }) => digest === base)?.outcome).toBe('mounted')
    // What the base does not have was answered with 202, and the upload that this began was used.
    expect(blobs.find(({ digest }) => digest === derived.layer.digest)?.outcome).toBe('sent')
    const begun = fake.log().filter(line => line.startsWith('POST'))
    expect(begun.every(line => line.includes('from=team%2Fbase'))).toBe(true)
  })

  it('names the file that is not what its name says', async () => {
    const damaged = makeImage({ folder: path.join(newFolder(), 'damaged'), layerBytes })
    fs.writeFileSync(damaged.file(damaged.layer.digest), Buffer.alloc(layer.length))
    await expect(push({ folder: damaged.folder })).rejects.toMatchObject({
      code: 'RELEASE_DAMAGED',
      details: { path: damaged.file(damaged.layer.digest) },
    })
    expect(fake.manifests.size).toBe(0)
  })

  it('is refused when a document of the layout was changed', async () => {
    const damaged = makeImage({ folder: path.join(newFolder(), 'damaged') })
    fs.appendFileSync(damaged.file(damaged.manifests[0]!), ' ')
    expect(await codeOfAsync(push({ folder: damaged.folder }))).toBe('IMAGE_INVALID')
    expect(fake.requests).toEqual([])
  })

  it('does not put up with a registry that stores something else', async () => {
    fake.fail('PUT', /manifests\//, status(201, { 'docker-content-digest': digestOf('x') }))
    expect(await codeOfAsync(push())).toBe('REGISTRY_DIGEST')
  })

  it('stops what is under way when one blob fails', async () => {
    fake.fail('POST', /uploads/, status(400), 99)
    expect(await codeOfAsync(push())).toBe('REGISTRY_REFUSED')
    expect(fake.manifests.size).toBe(0)
  })

  it('ends at once when it is asked to', async () => {
    const stop = new AbortController()
    tools = registryTools({ signal: stop.signal })
    fake.fail('PUT', /uploads/, () => stop.abort(new Error('asked to')))
    await expect(push()).rejects.toThrow()
    expect(tools.waits).toEqual([])
  })
})

describe('what refers to an image', () => {
  it('is listed by a registry that names its subject', async () => {
    await push()
    expect([...fake.manifests.keys()].filter(key => key.startsWith('sha256-'))).toEqual([])
    expect((await listReferrers(await client(), image.digest)).map(({ digest }) => digest).toSorted()).toEqual(
      image.referrers.toSorted(),
    )
  })

  it.each([
    ['does not know lists', { referrersApi: false, namesSubjects: false }],
    ['has a list, but does not name the subject', { referrersApi: true, namesSubjects: false }],
  ])('is written to a tag where the registry %s', async (_what, settings) => {
    Object.assign(fake.settings, settings)
    expect(await push()).toMatchObject({ wroteReferrersTag: true })
    const { bytes } = fake.manifests.get(image.digest.replace(':', '-'))!
    const { manifests } = JSON.parse(bytes.toString()) as { manifests: { digest: string; artifactType: string }[] }
    expect(manifests.map(({ digest }) => digest).toSorted()).toEqual(image.referrers.toSorted())
    expect(manifests[0]?.artifactType).toBe('text/x-note')
    expect(await push()).toMatchObject({ isUnchanged: true, wroteReferrersTag: false })
  })

  it('keeps what others have written there', async () => {
    Object.assign(fake.settings, { referrersApi: false, namesSubjects: false })
    const theirs = { mediaType: mediaTypes.manifest, digest: digestOf('theirs'), size: 7, data: 'YQ==', urls: ['x:y'] }
    const tag = image.digest.replace(':', '-')
    const before = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [theirs] }
    fake.manifests.set(tag, { bytes: Buffer.from(JSON.stringify(before)), type: mediaTypes.index })
    await push()
    const { manifests } = JSON.parse(fake.manifests.get(tag)!.bytes.toString()) as { manifests: object[] }
    expect(manifests).toContainEqual(theirs)
    expect(manifests).toHaveLength(3)
  })

  it.each([true, false])('survives another writer in between, with ETags: %s', async etags => {
    Object.assign(fake.settings, { referrersApi: false, namesSubjects: false, etags })
    const tag = image.digest.replace(':', '-')
    const listOf = (text: string) => {
      const entry = { mediaType: mediaTypes.manifest, digest: digestOf(text), size: 1 }
      return {
        bytes: Buffer.from(JSON.stringify({ mediaType: mediaTypes.index, manifests: [entry] })),
        type: mediaTypes.index,
      }
    }
    fake.manifests.set(tag, listOf('before'))
    fake.fail('PUT', /manifests\/sha256-/, (_request, response) => {
      // Theirs comes between: with a condition ours is refused, without one it is lost.
      fake.manifests.set(tag, listOf('theirs'))
      response.writeHead(etags ? 412 : 201).end()
    })
    await push()
    const { manifests } = JSON.parse(fake.manifests.get(tag)!.bytes.toString()) as { manifests: { digest: string }[] }
    expect(manifests.map(({ digest }) => digest)).toEqual([digestOf('theirs'), ...image.referrers.toSorted()])
  })

  it('is shown with the image', async () => {
    await push()
    const reference = parseReference(`${fake.host}/team/app:1.0.0`)
    const look = await lookAtImage({ ...common, reference }, tools)
    expect(look.digest).toBe(image.digest)
    expect(look.manifests.map(({ platform }) => platform?.architecture)).toEqual(['amd64', 'arm64'])
    expect(look.manifests[0]?.config).toMatchObject({ config: { Cmd: ['/a'] } })
    expect(look.referrers).toHaveLength(2)
  })
})

describe('a registry that is busy', () => {
  it('is asked again after the time that it names', async () => {
    fake.fail('HEAD', /blobs/, status(429, { 'retry-after': '7' }))
    fake.fail('PUT', /manifests\/1.0.0/, status(503, { 'retry-after': 'Thu, 01 Jan 2026 00:00:37 GMT' }))
    await push()
    expectWhole()
    expect(tools.waits).toEqual([7000, 30_000])
  })

  it('is asked again after longer and longer waits, and given up', async () => {
    fake.fail('HEAD', /blobs/, status(503), 99)
    expect(await codeOfAsync(push())).toBe('REGISTRY_UNAVAILABLE')
    expect(Math.max(...tools.waits)).toBeGreaterThanOrEqual(4000)
    expect(tools.waits.length).toBeLessThanOrEqual(4 * 5)
  })

  it('is not waited for longer than two minutes', async () => {
    fake.fail('HEAD', /blobs/, status(429, { 'retry-after': '3600' }))
    expect(await codeOfAsync(push())).toBe('REGISTRY_UNAVAILABLE')
    expect(tools.waits).toEqual([])
  })

  it('is asked again where the connection was cut before an answer', async () => {
    fake.fail('HEAD', /blobs/, request => request.socket.destroy(), 2)
    await push()
    expectWhole()
  })
})

describe('a pull', () => {
  const into = () => path.join(newFolder(), 'pulled')

  it('makes a layout with the same bytes', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const to = into()
    const reference = parseReference(`${fake.host}/team/app:1.0.0`)
    const pulled = await pullImage({ ...common, reference, folder: to }, tools)
    expect(pulled).toMatchObject({ digest: image.digest, isUnchanged: false })
    expect(pulled.manifests.map(({ digest }) => digest)).toEqual(image.manifests)
    for (const hex of fs.readdirSync(path.join(to, 'blobs/sha256'))) {
      expect(digestOf(fs.readFileSync(path.join(to, 'blobs/sha256', hex)))).toBe(`sha256:${hex}`)
    }
    expect(fs.readFileSync(path.join(to, 'index.json'), 'utf8')).toContain(image.digest)
    expect(fs.readdirSync(path.dirname(to))).toEqual(['pulled'])
    expect(await pullImage({ ...common, reference, folder: to }, tools)).toMatchObject({
      isUnchanged: true,
      fetchedBytes: 0,
    })
  })

  it('fetches only the platforms that are asked for, under the same digest', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const pulled = await pull(image, into(), { platforms: [parsePlatform('linux/arm64')] })
    expect(pulled.digest).toBe(image.digest)
    expect(pulled.manifests).toEqual([{ platform: { os: 'linux', architecture: 'arm64' }, digest: image.manifests[1] }])
    expect(fake.log().some(line => line.includes(image.manifests[0]!.slice(0, 13)))).toBe(false)
  })

  it('says for which platforms an image is', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const to = into()
    await expect(pull(image, to, { platforms: [parsePlatform('linux/s390x')] })).rejects.toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      details: { offered: ['linux/amd64', 'linux/arm64'] },
    })
    expect(fs.existsSync(to)).toBe(false)
  })

  it('asks the configuration of an image without an index for its platform', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const reference = parseReference(`${fake.host}/team/app@${image.manifests[1]}`)
    const wanted = (platform: string) =>
      pullImage({ ...common, reference, folder: into(), platforms: [parsePlatform(platform)] }, tools)
    expect((await wanted('linux/arm64')).manifests).toHaveLength(1)
    expect(await codeOfAsync(wanted('linux/amd64'))).toBe('IMAGE_UNSUPPORTED')
  })

  it('shares blobs with a cache', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const cacheFolder = newFolder()
    expect((await pull(image, into(), { cacheFolder })).fetchedBytes).toBeGreaterThan(layer.length)
    const to = into()
    expect((await pull(image, to, { cacheFolder })).fetchedBytes).toBe(0)
    const hex = image.layer.digest.slice(7)
    const inode = (base: string) => fs.statSync(path.join(base, 'blobs/sha256', hex)).ino
    expect(inode(to)).toBe(inode(cacheFolder))
  })

  it('does not trust a cache', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const cacheFolder = newFolder()
    await pull(image, into(), { cacheFolder })
    const cached = path.join(cacheFolder, 'blobs/sha256', image.layer.digest.slice(7))
    fs.writeFileSync(cached, Buffer.alloc(layer.length))
    const to = into()
    await pull(image, to, { cacheFolder })
    expect(fs.readFileSync(path.join(to, 'blobs/sha256', image.layer.digest.slice(7)))).toEqual(layer)
  })

  it('replaces a layout, and nothing else', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const other = makeImage({ folder: into(), seed: 'old' })
    await pull(image, other.folder)
    expect(fs.existsSync(other.file(other.layer.digest))).toBe(false)
    const precious = newFolder()
    fs.writeFileSync(path.join(precious, 'thesis.txt'), 'mine')
    expect(await codeOfAsync(pull(image, precious))).toBe('USAGE')
    expect(fs.readdirSync(precious)).toEqual(['thesis.txt'])
  })

  it('takes from a killed run what is whole', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const to = into()
    const left = path.join(path.dirname(to), '.pulled.pull/layout/blobs/sha256')
    fs.mkdirSync(left, { recursive: true })
    fs.writeFileSync(path.join(left, image.layer.digest.slice(7)), layer)
    fs.writeFileSync(path.join(left, image.manifests[0]!.slice(7)), 'torn')
    fs.writeFileSync(path.join(left, 'abc.123.part'), 'torn')
    expect((await pull(image, to)).fetchedBytes).toBeLessThan(1000)
    expect(fs.readdirSync(path.join(to, 'blobs/sha256'))).not.toContain('abc.123.part')
    expect(digestOf(fs.readFileSync(path.join(to, 'blobs/sha256', image.manifests[0]!.slice(7))))).toBe(
      image.manifests[0],
    )
  })

  it('refuses a manifest of another digest', async () => {
    fill(fake, image.folder, '1.0.0', image.digest)
    const other = fake.manifests.get(image.manifests[0]!)!
    fake.manifests.set(image.manifests[1]!, { ...other })
    expect(await codeOfAsync(pull(image, into()))).toBe('REGISTRY_DIGEST')
  })

  it('refuses a manifest without end', async () => {
    fake.fail('GET', /manifests/, (_request, response) => {
      response.writeHead(200, { 'content-type': mediaTypes.index })
      const more = () => {
        while (response.write(Buffer.alloc(1024 * 1024, 32))) {}
        response.once('drain', more)
      }
      more()
    })
    expect(await codeOfAsync(pull(image, into()))).toBe('HTTP_TOO_LARGE')
  })

  it('tells what is not there', async () => {
    expect(await codeOfAsync(pull(image, into()))).toBe('REGISTRY_UNKNOWN')
  })
})

describe('a blob', () => {
  const blob = image.layer
  const download = async (file: string) => downloadBlob(await client(), blob, file, () => {})
  const target = () => path.join(newFolder(), 'blob')

  beforeEach(() => {
    fake.blobs.set(blob.digest, layer)
  })

  it('goes on where the connection was cut', async () => {
    fake.fail('GET', /blobs/, cutDownload(layer, 100_000))
    fake.fail('GET', /blobs/, cutDownload(layer, 50_000, 100_000))
    const file = target()
    await download(file)
    expect(fs.readFileSync(file)).toEqual(layer)
    const ranges = fake.requests.map(({ headers }) => headers.range)
    expect(ranges[0]).toBeUndefined()
    expect(ranges[1]).toBe(`bytes=100000-${layer.length - 1}`)
    expect(ranges).toHaveLength(3)
  })

  it('starts over where the registry does no ranges', async () => {
    fake.fail('GET', /blobs/, cutDownload(layer, 100_000))
    fake.fail('GET', /blobs/, (_request, response) => response.end(layer))
    const file = target()
    await download(file)
    expect(fs.readFileSync(file)).toEqual(layer)
  })

  it('goes on where the registry sends another range than asked for', async () => {
    fake.fail('GET', /blobs/, cutDownload(layer, 100_000))
    fake.fail('GET', /blobs/, (_request, response) => {
      response.writeHead(206, { 'content-range': `bytes 5-${layer.length - 1}/${layer.length}` }).end(layer.subarray(5))
    })
    const file = target()
    await download(file)
    expect(fs.readFileSync(file)).toEqual(layer)
  })

  it('of other bytes is refused and leaves no file', async () => {
    fake.blobs.set(blob.digest, Buffer.alloc(layer.length))
    const file = target()
    expect(await codeOfAsync(download(file))).toBe('REGISTRY_DIGEST')
    expect(fs.existsSync(file)).toBe(false)
  })

  it('that goes on beyond its size is cut off', async () => {
    fake.fail('GET', /blobs/, (_request, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(1024 * 1024))) {}
        response.once('drain', more)
      }
      more()
    })
    const file = target()
    expect(await codeOfAsync(download(file))).toBe('REGISTRY_DIGEST')
    expect(fs.existsSync(file)).toBe(false)
  })

  it('that is always cut at the same place is given up', async () => {
    fake.fail('GET', /blobs/, cutDownload(layer, 0), 99)
    expect(await codeOfAsync(download(target()))).toBe('HTTP_FAILED')
  })
})

describe('tags', () => {
  it('are listed over several pages', async () => {
    const page = (tags: readonly string[], next?: string) =>
      fake.fail('GET', /tags\/list/, (_request, response) => {
        response.writeHead(200, next === undefined ? {} : { link: `<${next}>; rel="next"` })
        response.end(JSON.stringify({ name: 'team/app', tags }))
      })
    page(['a', 'b'], '/v2/team/app/tags/list?n=2&last=b')
    page(['c'])
    expect(await listTags(await client())).toEqual(['a', 'b', 'c'])
    expect(fake.log().at(-1)).toBe('GET tags/list?n=2&last=b')
  })

  it('are not listed for ever, nor elsewhere', async () => {
    const again = (next: string) =>
      fake.fail(
        'GET',
        /tags\/list/,
        (_request, response) => response.writeHead(200, { link: `<${next}>; rel="next"` }).end('{"tags":["a"]}'),
        200,
      )
    again('http://localhost:1/v2/team/app/tags/list')
    expect(await codeOfAsync(listTags(await client()))).toBe('REGISTRY_PROTOCOL')
    fake = await fakeRegistry()
    again('/v2/team/app/tags/list')
    expect(await codeOfAsync(listTags(await client()))).toBe('REGISTRY_PROTOCOL')
    expect(fake.requests.length).toBeLessThanOrEqual(100)
  })
})

it('a manifest is refused when the registry names another digest than it sends', async () => {
  fake.fail('GET', /manifests/, (_request, response) => {
    response.writeHead(200, { 'content-type': mediaTypes.index, 'docker-content-digest': digestOf('x') })
    response.end(JSON.stringify({ schemaVersion: 2, manifests: [] }))
  })
  expect(await codeOfAsync(getManifest(await client(), 'latest'))).toBe('REGISTRY_DIGEST')
})
