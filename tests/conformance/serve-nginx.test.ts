import { execFile, execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../src/core/digest.ts'
import { nginxFile, renderNginx } from '../../src/repository/nginx.ts'
import { answerRepository } from '../../src/repository/serve/answer.ts'
import { ServedFolder } from '../../src/sys/served-folder.ts'
import { type ServedRequest, type StaticServer, startServer } from '../../src/sys/static-server.ts'
import type { MadeImage } from '../support/made-image.ts'
import { startNginx } from '../support/nginx.ts'
import { openPodman } from '../support/podman.ts'
import { freePort } from '../support/ports.ts'
import { publishLayout, putDocument, putImage } from '../support/served-repository.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/* A repository as `release serve` and as nginx serve it: the same answers, to the programs that read it. */

const base = tempFolder()
const root = path.join(base, 'the repository')
const hash = hexOf(digestOf('index'))
const wheel = 'hello-1.0-py3-none-any.whl'
const json = 'application/vnd.pypi.simple.v1+json'
const requests: ServedRequest[] = []
let server: StaticServer
let image: MadeImage
/** Where both are: ours, then nginx. */
let places: readonly [string, string]

const files: Readonly<Record<string, string>> = {
  'index.html': '<p>entrance</p>',
  'notes/1.0.0/index.html': '<p>release</p>',
  'repository.json': '{}',
  'archive-key.asc': 'key',
  'acme.sources': 'Types: deb',
  'dists/stable/InRelease': 'now',
  'dists/stable/main/binary-all/Packages': 'packages',
  'dists/stable/main/binary-all/Packages.gz': 'packed',
  [`dists/stable/main/binary-all/by-hash/SHA256/${hash}`]: 'index',
  'snapshot/20261121T074500Z/dists/stable/InRelease': 'then',
  'pool/notes/1.0.0/notes_1.0.0~rc.1+b2_all.deb': 'deb',
  'metadata/timestamp.json': '{"version":7}',
  'metadata/7.snapshot.json': '{}',
  'metadata/root.json': '{}',
  [`targets/notes/${hash}.releases.json`]: '{}',
  'simple/index.html': '<p>projects</p>',
  'simple/index.json': '{"meta":{"api-version":"1.1"},"projects":[{"name":"hello"}]}',
  'simple/old/index.html': '<p>before PEP 691</p>',
  [nginxFile]: 'hidden',
  'pool/.notes.deb.tmp': 'half',
}

beforeAll(async () => {
  for (const [key, text] of Object.entries(files)) putDocument(root, { key, bytes: Buffer.from(text) })
  image = putImage(root, 'notes', { seed: 'one', layerBytes: 500_000, codec: 'zstd' })
  publishLayout(root, { application: 'notes', images: { '1.0.0': image }, channels: { stable: ['1.0.0'] } })
  server = await startServer(answerRepository(new ServedFolder(root)), {
    host: '127.0.0.1',
    port: 0,
    onRequest: request => requests.push(request),
  })
  places = [server.url, server.url]
  if (!needTool('nginx')) return
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const rendered = renderNginx({ name: 'acme.example', root, url, registry: new URL(server.url).host })!
  await startNginx(rendered.replace(/^.*listen \[.*$/m, '').replace(/listen /, 'listen 127.0.0.1:'), port)
  places = [server.url, url]
})
afterAll(() => server.close())

/** What a client goes by. Validators differ: nginx makes its own. */
async function answerOf(place: string, key: string, headers: Record<string, string>, method: string) {
  const response = await fetch(new URL(key, place), { method, headers, redirect: 'manual' })
  const named = ['cache-control', 'vary', 'content-range', 'location', 'docker-content-digest']
  const body = await response.text()
  const isFound = response.status < 400
  return {
    status: response.status,
    ...(isFound ? Object.fromEntries(named.map(name => [name, response.headers.get(name)])) : {}),
    ...(response.status < 300 ? { body, type: response.headers.get('content-type') } : {}),
  }
}

describe.skipIf(!needTool('nginx'))('nginx answers as `release serve` does', () => {
  const shared = `snapshot/20261121T074500Z/dists/stable/main/binary-all/by-hash/SHA256/${hash}`
  it.each<[string, number, Record<string, string>?]>([
    ['', 200],
    ['notes/1.0.0/', 200],
    ['notes/1.0.0', 301],
    ['repository.json', 200],
    ['archive-key.asc', 200],
    ['acme.sources', 200],
    ['dists/stable/InRelease', 200],
    ['dists/stable/main/binary-all/Packages', 200],
    ['dists/stable/main/binary-all/Packages.gz', 200],
    [`dists/stable/main/binary-all/by-hash/SHA256/${hash}`, 200],
    ['snapshot/20261121T074500Z/dists/stable/InRelease', 200],
    [shared, 200],
    ['snapshot/20261121T074500Z/pool/notes/1.0.0/notes_1.0.0~rc.1%2Bb2_all.deb', 200],
    ['snapshot/20261121T074500Z/dists/stable/main/binary-all/Packages.gz', 404],
    ['snapshot/20261121T074500Z/metadata/root.json', 404],
    ['snapshot/20261121T074500Z/pool/../metadata/root.json', 404],
    ['snapshot/yesterday/pool/notes/1.0.0/notes_1.0.0~rc.1+b2_all.deb', 404],
    ['pool/notes/1.0.0/notes_1.0.0~rc.1+b2_all.deb', 200],
    ['pool/notes/1.0.0/notes_1.0.0~rc.1+b2_all.deb', 206, { range: 'bytes=1-' }],
    ['pool/notes/1.0.0/notes_1.0.0~rc.1+b2_all.deb', 206, { range: 'bytes=-1' }],
    ['pool/notes/1.0.0/notes_1.0.0~rc.1+b2_all.deb', 416, { range: 'bytes=9-' }],
    ['metadata/timestamp.json', 200],
    ['metadata/7.snapshot.json', 200],
    ['metadata/root.json', 200],
    [`targets/notes/${hash}.releases.json`, 200],
    ['simple/', 200],
    ['simple/', 200, { accept: json }],
    ['simple/', 200, { accept: `text/html;q=0.1, ${json}` }],
    ['simple/index.json', 200],
    ['simple/old/', 200, { accept: json }],
    ['simple/old', 301],
    [nginxFile, 404],
    ['pool/.notes.deb.tmp', 404],
    ['snapshot/20261121T074500Z/pool/.notes.deb.tmp', 404],
    ['nothing', 404],
    ['v2/', 200],
    ['v2', 200],
    ['v2/notes/manifests/stable', 200],
    ['v2/notes/manifests/9.9.9', 404],
    ['v2/notes/tags/list', 200],
    [`v2/notes/blobs/sha256:${'0'.repeat(64)}`, 404],
  ])('to %s: %i', async (key, status, headers = {}) => {
    for (const method of ['GET', 'HEAD']) {
      const [ours, theirs] = await Promise.all(places.map(place => answerOf(place, key, headers, method)))
      expect(ours?.status).toBe(status)
      expect(theirs).toEqual(ours)
    }
  })

  it('to a request for a blob, which it sends itself', async () => {
    const key = `v2/notes/blobs/${image.layer.digest}`
    const before = requests.length
    const theirs = await answerOf(places[1], key, { range: 'bytes=100-199' }, 'GET')
    expect(requests).toHaveLength(before)
    expect(theirs.status).toBe(206)
    expect(theirs).toEqual(await answerOf(places[0], key, { range: 'bytes=100-199' }, 'GET'))
  })

  it('to what would change something', async () => {
    for (const key of ['pool/new.deb', 'metadata/timestamp.json', 'v2/notes/manifests/1.0.0']) {
      for (const method of ['PUT', 'DELETE']) {
        const statuses = places.map(async place => (await fetch(new URL(key, place), { method })).status)
        expect(await Promise.all(statuses)).toEqual([405, 405])
      }
    }
  })

  it('to conditions', async () => {
    // What was changed a moment ago has no time to go by.
    fs.utimesSync(path.join(root, 'metadata/timestamp.json'), 1_700_000_000, 1_700_000_000)
    for (const place of places) {
      const url = new URL('metadata/timestamp.json', place)
      const first = await fetch(url)
      const validators = [
        { 'if-none-match': first.headers.get('etag')! },
        { 'if-modified-since': first.headers.get('last-modified')! },
      ]
      for (const headers of validators) expect((await fetch(url, { headers })).status).toBe(304)
      expect((await fetch(url, { headers: { 'if-match': '"another"' } })).status).toBe(412)
    }
  })

  it.skipIf(!needTool('skopeo', 'podman', 'conmon'))('to skopeo and podman', async () => {
    const { host } = new URL(places[1])
    const folder = path.join(base, 'copied')
    const source = `docker://${host}/notes:stable`
    await run('skopeo', 'copy', '-q', '--all', '--src-tls-verify=false', source, `oci:${folder}:x`)
    const layer = fs.readFileSync(path.join(folder, 'blobs/sha256', hexOf(image.layer.digest)))
    expect(digestOf(layer)).toBe(image.layer.digest)
    const podman = openPodman(base)
    const flags = ['-q', '--tls-verify=false', '--os', 'linux', '--arch', 'amd64']
    const id = await podman.start('pull', ...flags, `${host}/notes:1.0.0`)
    expect(await podman.start('image', 'inspect', '--format', '{{.RepoDigests}}', id.trim())).toContain(image.digest)
  })
})

describe.skipIf(!needTool('python3', 'pip3'))('pip', () => {
  beforeAll(() => {
    const made = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    info = 'hello-1.0.dist-info/'
    wheel.writestr('hello.py', '')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    wheel.writestr(info + 'RECORD', '')
`
    execFileSync('python3', ['-c', made, path.join(root, 'pool/notes/1.0.0', wheel)])
    const digest = hexOf(digestOf(fs.readFileSync(path.join(root, 'pool/notes/1.0.0', wheel))))
    const url = `../../pool/notes/1.0.0/${wheel}`
    const listed = { filename: wheel, url, hashes: { sha256: digest } }
    const project = { meta: { 'api-version': '1.0' }, name: 'hello', files: [listed] }
    putDocument(root, { key: 'simple/hello/index.json', bytes: Buffer.from(JSON.stringify(project)) })
    // Only who takes the JSON gets the right file.
    const page = Buffer.from(`<a href="${url}#sha256=${'0'.repeat(64)}">${wheel}</a>`)
    putDocument(root, { key: 'simple/hello/index.html', bytes: page })
  })

  it.each([0, 1] as const)('takes the JSON form of the index (server %i)', async at => {
    const folder = path.join(base, `pip-${at}`)
    const index = ['--index-url', `${places[at]}simple/`, '--no-cache-dir', '--disable-pip-version-check']
    await run('pip3', 'download', '-q', '--no-deps', ...index, '--dest', folder, 'hello==1.0')
    expect(fs.readdirSync(folder)).toEqual([wheel])
  })
})

async function run(command: string, ...argv: readonly string[]): Promise<string> {
  const { PIP_INDEX_URL: _, ...environment } = process.env
  return (await promisify(execFile)(command, argv, { encoding: 'utf8', env: environment })).stdout
}
