import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Digest, digestOf, hexOf } from '../../src/core/digest.ts'
import { lookAtImage } from '../../src/registry/look.ts'
import { pullImage } from '../../src/registry/pull.ts'
import { parseReference } from '../../src/registry/reference.ts'
import { answerRepository } from '../../src/repository/serve/answer.ts'
import { ServedFolder } from '../../src/sys/served-folder.ts'
import { type StaticServer, startServer } from '../../src/sys/static-server.ts'
import type { MadeImage } from '../support/made-image.ts'
import { openPodman } from '../support/podman.ts'
import { registryTools } from '../support/registry-tools.ts'
import { publishLayout, putImage } from '../support/served-repository.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/* `release serve` as registries are: the pull and discovery parts of the distribution specification, then the programs that pull. */

const indexType = 'application/vnd.oci.image.index.v1+json'
const manifestType = 'application/vnd.oci.image.manifest.v1+json'

const base = tempFolder()
const repository = path.join(base, 'repository')
const images: Record<string, MadeImage> = {}
let server: StaticServer
let host: string

beforeAll(async () => {
  images['1.0.0'] = putImage(repository, 'notes', { seed: 'one', layerBytes: 300_000, codec: 'zstd' })
  images['1.1.0'] = putImage(repository, 'notes', { seed: 'two', layerBytes: 2_000_000, codec: 'zstd' })
  images['1.2.0-rc.1'] = putImage(repository, 'notes', { seed: 'three' })
  publishLayout(repository, {
    application: 'notes',
    images,
    channels: { stable: ['1.0.0', '1.1.0'], edge: ['1.0.0', '1.1.0', '1.2.0-rc.1'] },
    yanked: ['1.1.0'],
  })
  publishLayout(repository, {
    application: 'weave',
    images: { '2.0.0': putImage(repository, 'weave', { seed: 'other' }) },
  })
  server = await startServer(answerRepository(new ServedFolder(repository)), { host: '127.0.0.1', port: 0 })
  host = new URL(server.url).host
})
afterAll(() => server.close())

const get = (key: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(`${server.url}v2/${key}`, { headers, method })
const errorOf = async (response: Response) => {
  const { errors } = (await response.json()) as { errors: { code: string; message: string }[] }
  return [response.status, errors[0]?.code]
}
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())
const zeros = `sha256:${'0'.repeat(64)}`

describe('the pull part of the specification', () => {
  it('says that it is a registry', async () => {
    for (const method of ['GET', 'HEAD']) {
      const response = await get('', {}, method)
      expect(response.status).toBe(200)
      expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0')
    }
  })

  it.each(['1.0.0', '1.1.0', 'stable', 'edge'])('has the image %s, by GET and HEAD, under its digest', async tag => {
    const expected = { stable: images['1.0.0'], edge: images['1.2.0-rc.1'] }[tag] ?? images[tag]!
    const response = await get(`notes/manifests/${tag}`, { accept: indexType })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(indexType)
    expect(response.headers.get('docker-content-digest')).toBe(expected.digest)
    expect(response.headers.get('cache-control')).toBe('no-cache')
    const bytes = await bytesOf(response)
    expect(digestOf(bytes)).toBe(expected.digest)
    const head = await get(`notes/manifests/${tag}`, { accept: indexType }, 'HEAD')
    expect(head.headers.get('content-length')).toBe(String(bytes.byteLength))
    expect(head.headers.get('docker-content-digest')).toBe(expected.digest)
  })

  it('has documents by digest, each with the type that its bytes say, and for ever', async () => {
    const { digest, manifests, referrers } = images['1.1.0']!
    for (const [reference, type] of [
      [digest, indexType],
      [manifests[0]!, manifestType],
      [referrers[0]!, manifestType],
    ] as const) {
      const response = await get(`notes/manifests/${reference}`)
      expect(response.headers.get('content-type')).toBe(type)
      expect(response.headers.get('etag')).toBe(`"${reference}"`)
      expect(response.headers.get('cache-control')).toContain('immutable')
      expect(digestOf(await bytesOf(response))).toBe(reference)
      expect((await get(`notes/manifests/${reference}`, { 'if-none-match': `"${reference}"` })).status).toBe(304)
    }
  })

  it('takes an escaped colon for one', async () => {
    const { digest } = images['1.0.0']!
    expect((await get(`notes/manifests/${encodeURIComponent(digest)}`)).status).toBe(200)
  })

  it('has blobs, whole and in ranges', async () => {
    const { digest, sizeBytes } = images['1.1.0']!.layer
    const head = await get(`notes/blobs/${digest}`, {}, 'HEAD')
    expect(head.headers.get('content-length')).toBe(String(sizeBytes))
    expect(head.headers.get('accept-ranges')).toBe('bytes')
    const whole = await get(`notes/blobs/${digest}`)
    expect(whole.headers.get('docker-content-digest')).toBe(digest)
    expect(whole.headers.get('cache-control')).toContain('immutable')
    const bytes = await bytesOf(whole)
    expect(digestOf(bytes)).toBe(digest)
    const part = await get(`notes/blobs/${digest}`, { range: 'bytes=1000-99999' })
    expect(part.status).toBe(206)
    expect(part.headers.get('content-range')).toBe(`bytes 1000-99999/${sizeBytes}`)
    expect((await bytesOf(part)).equals(bytes.subarray(1000, 100_000))).toBe(true)
    expect((await get(`notes/blobs/${digest}`, { range: `bytes=${sizeBytes}-` })).status).toBe(416)
  })

  it.each([
    ['nobody/manifests/1.0.0', 404, 'NAME_UNKNOWN'],
    ['team/notes/tags/list', 404, 'NAME_UNKNOWN'],
    ['Notes/tags/list', 400, 'NAME_INVALID'],
    ['..%2f..%2fnotes/blobs/x', 400, 'NAME_INVALID'],
    ['%2e%2e%2fnotes/tags/list', 400, 'NAME_INVALID'],
    ['.cutover/tags/list', 400, 'NAME_INVALID'],
    ['notes/manifests/9.9.9', 404, 'MANIFEST_UNKNOWN'],
    ['notes/manifests/.INVALID_MANIFEST_NAME', 404, 'MANIFEST_UNKNOWN'],
    [`notes/manifests/${zeros}`, 404, 'MANIFEST_UNKNOWN'],
    ['notes/manifests/sha256:totallywrong', 400, 'DIGEST_INVALID'],
    [`notes/manifests/sha512:${'0'.repeat(128)}`, 404, 'MANIFEST_UNKNOWN'],
    [`notes/blobs/${zeros}`, 404, 'BLOB_UNKNOWN'],
    ['notes/blobs/sha256:totallywrong', 400, 'DIGEST_INVALID'],
    ['notes/blobs/sha256%3A..%2F..%2Findex.json', 404, 'UNSUPPORTED'],
    ['notes/blobs/1.0.0', 400, 'DIGEST_INVALID'],
    ['notes/referrers/1.0.0', 400, 'DIGEST_INVALID'],
    ['notes/tags/list?n=many', 400, 'UNSUPPORTED'],
    ['notes/nothing', 404, 'UNSUPPORTED'],
  ])('refuses %s with %i %s', async (key, status, code) => {
    expect(await errorOf(await get(key))).toEqual([status, code])
  })

  it('does not take a layer for a manifest, or another application for this one', async () => {
    const { layer, digest } = images['1.0.0']!
    expect(await errorOf(await get(`notes/manifests/${layer.digest}`))).toEqual([404, 'MANIFEST_UNKNOWN'])
    expect(await errorOf(await get(`weave/manifests/${digest}`))).toEqual([404, 'MANIFEST_UNKNOWN'])
  })

  it.each([
    ['POST', 'notes/blobs/uploads/'],
    ['PUT', 'notes/manifests/1.0.0'],
    ['PATCH', 'notes/blobs/uploads/x'],
    ['DELETE', 'notes/manifests/1.0.0'],
  ])('is not written to with %s', async (method, key) => {
    const response = await get(key, {}, method)
    expect(response.headers.get('allow')).toBe('GET, HEAD')
    expect(await errorOf(response)).toEqual([405, 'UNSUPPORTED'])
  })
})

describe('the discovery part of the specification', () => {
  const tags = ['1.0.0', '1.1.0', '1.2.0-rc.1', 'edge', 'stable']

  it('lists tags, in pages that lead from one to the next', async () => {
    expect(await (await get('notes/tags/list')).json()).toEqual({ name: 'notes', tags })
    const listed: string[] = []
    for (let key: string | undefined = 'notes/tags/list?n=2'; key !== undefined; ) {
      const response = await get(key)
      const page = (await response.json()) as { tags: string[] }
      expect(page.tags.length).toBeLessThanOrEqual(2)
      listed.push(...page.tags)
      key = /^<\/v2\/([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
    }
    expect(listed).toEqual(tags)
    expect(await (await get('notes/tags/list?last=1.1.0')).json()).toMatchObject({ tags: tags.slice(2) })
    expect(await (await get('notes/tags/list?n=0')).json()).toMatchObject({ tags: [] })
  })

  it('lists applications', async () => {
    expect(await (await get('_catalog')).json()).toEqual({ repositories: ['notes', 'weave'] })
    const page = await get('_catalog?n=1')
    expect(await page.json()).toEqual({ repositories: ['notes'] })
    expect(page.headers.get('link')).toBe('</v2/_catalog?n=1&last=notes>; rel="next"')
  })

  it('lists what refers to an image, of one kind if asked', async () => {
    const { digest, referrers } = images['1.0.0']!
    const response = await get(`notes/referrers/${digest}`)
    expect(response.headers.get('content-type')).toBe(indexType)
    expect(response.headers.get('oci-filters-applied')).toBeNull()
    expect(await response.json()).toMatchObject({
      schemaVersion: 2,
      manifests: [{ mediaType: manifestType, digest: referrers[0], artifactType: 'text/x-note' }],
    })
    const kind = await get(`notes/referrers/${digest}?artifactType=text/x-note`)
    expect(kind.headers.get('oci-filters-applied')).toBe('artifactType')
    expect(await kind.json()).toMatchObject({ manifests: [{ digest: referrers[0] }] })
    expect(await (await get(`notes/referrers/${digest}?artifactType=text/x-other`)).json()).toMatchObject({
      manifests: [],
    })
    const none = await get(`notes/referrers/${zeros}`)
    expect([none.status, await none.json()]).toMatchObject([200, { manifests: [] }])
  })

  it('knows of a publication at once', async () => {
    const folder = path.join(base, 'changing')
    const first = putImage(folder, 'notes', { seed: 'first' })
    const second = putImage(folder, 'notes', { seed: 'second' })
    const publish = (version: string) =>
      publishLayout(folder, {
        application: 'notes',
        images: { '1.0.0': first, '1.0.1': second },
        channels: { edge: [version] },
      })
    const changing = await startServer(answerRepository(new ServedFolder(folder)), { host: '127.0.0.1', port: 0 })
    const head = async () =>
      (await fetch(`${changing.url}v2/notes/manifests/edge`)).headers.get('docker-content-digest')
    try {
      expect((await fetch(`${changing.url}v2/notes/manifests/edge`)).status).toBe(404)
      for (const [version, { digest }] of [
        ['1.0.0', first],
        ['1.0.1', second],
        ['1.0.0', first],
      ] as const) {
        publish(version)
        expect(await head()).toBe(digest)
      }
      fs.rmSync(first.file(first.digest))
      expect((await fetch(`${changing.url}v2/notes/manifests/edge`)).status).toBe(404)
    } finally {
      await changing.close()
    }
  })

  it('shows no document whose bytes are others than its digest says', async () => {
    const folder = path.join(base, 'damaged')
    const image = putImage(folder, 'notes')
    publishLayout(folder, { application: 'notes', images: { '1.0.0': image } })
    fs.writeFileSync(image.file(image.digest), fs.readFileSync(image.file(image.manifests[0]!)))
    const damaged = await startServer(answerRepository(new ServedFolder(folder)), { host: '127.0.0.1', port: 0 })
    try {
      expect(await errorOf(await fetch(`${damaged.url}v2/notes/manifests/1.0.0`))).toEqual([404, 'MANIFEST_UNKNOWN'])
    } finally {
      await damaged.close()
    }
  })
})

describe('the programs that pull', () => {
  const run = async (command: string, ...argv: readonly string[]) =>
    (await promisify(execFile)(command, argv, { encoding: 'utf8' })).stdout
  const references = () => ['1.1.0', 'stable'].map(tag => `:${tag}`).concat(`@${images['1.2.0-rc.1']!.digest}`)

  it('include ours', async () => {
    for (const [at, reference] of references().entries()) {
      const parsed = parseReference(`${host}/notes${reference}`)
      const options = { plainHttp: false, environment: {}, onProgress: () => {}, reference: parsed }
      const pulled = await pullImage({ ...options, folder: path.join(base, `ours-${at}`) }, registryTools())
      const expected = [images['1.1.0'], images['1.0.0'], images['1.2.0-rc.1']][at]!
      expect(pulled.digest).toBe(expected.digest)
      const look = await lookAtImage(options, registryTools())
      expect(look.referrers.map(({ digest }) => digest)).toEqual(expected.referrers)
    }
  })

  it.skipIf(!needTool('skopeo'))('include skopeo', async () => {
    const expected = [images['1.1.0']!, images['1.0.0']!, images['1.2.0-rc.1']!]
    for (const [at, reference] of references().entries()) {
      const folder = path.join(base, `skopeo-${at}`)
      const source = `docker://${host}/notes${reference}`
      await run('skopeo', 'copy', '-q', '--all', '--src-tls-verify=false', source, `oci:${folder}:x`)
      for (const digest of [expected[at]!.digest, expected[at]!.layer.digest]) {
        expect(digestOf(fs.readFileSync(path.join(folder, 'blobs/sha256', hexOf(digest as Digest))))).toBe(digest)
      }
    }
    const listed = await run('skopeo', 'list-tags', '--tls-verify=false', `docker://${host}/notes`)
    expect(JSON.parse(listed)).toMatchObject({ Tags: ['1.0.0', '1.1.0', '1.2.0-rc.1', 'edge', 'stable'] })
    const inspected = await run('skopeo', 'inspect', '--tls-verify=false', `docker://${host}/notes:stable`)
    expect(JSON.parse(inspected)).toMatchObject({ Digest: images['1.0.0']!.digest })
  })

  it.skipIf(!needTool('podman', 'conmon'))('include podman', async () => {
    const podman = openPodman(base)
    for (const [at, reference] of references().entries()) {
      const platform = ['--os', 'linux', '--arch', 'amd64']
      const id = await podman.start('pull', '-q', '--tls-verify=false', ...platform, `${host}/notes${reference}`)
      const { digest } = [images['1.1.0']!, images['1.0.0']!, images['1.2.0-rc.1']!][at]!
      const digests = await podman.start('image', 'inspect', '--format', '{{.RepoDigests}}', id.trim())
      expect(digests).toContain(`${host}/notes@${digest}`)
    }
  })
})
