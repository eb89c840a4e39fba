import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { resolveFromRepository } from '../../src/flow/resolve.ts'
import type { ResolvedRelease } from '../../src/flow/resolved-release.ts'
import { resolvedRelease } from '../../src/flow/resolved-release.ts'
import { openMirror } from '../../src/mirror/open.ts'
import { parsePlace } from '../../src/mirror/place.ts'
import { Places } from '../../src/mirror/places.ts'
import { openOutlet } from '../../src/repository/outlets/open.ts'
import { pinRoot } from '../../src/trust/client.ts'
import { poolKey } from '../../src/trust/layout.ts'
import { type CuttingProxy, cuttingProxy } from '../support/cutting-proxy.ts'
import { dockerRegistry } from '../support/docker-registry.ts'
import { type EnvelopedRelease, envelopedRelease } from '../support/enveloped-release.ts'
import { FakeGithub } from '../support/github-fake.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { startNginx } from '../support/nginx.ts'
import { newest, outletTools } from '../support/outlet-tools.ts'
import { noise } from '../support/payload.ts'
import { freePort } from '../support/ports.ts'
import { s3Place, s3Server } from '../support/s3-server.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/* A release is fetched from every kind of place that may have it: real servers where there are some. */

const base = tempFolder()
const { signal } = new AbortController()
let release: EnvelopedRelease
let repository: MadeRepository

beforeAll(async () => {
  repository = await makeRepository(path.join(base, 'vendor'), { applications: ['app'] })
  // Does not compress: one segment each, and a small one.
  const files = { 'a/large': noise(5 * 2 ** 20), 'b/large': noise(5 * 2 ** 20, 2), 'c.txt': 'small' }
  release = await envelopedRelease(repository.distFolder, files)
  await repository.upload('1.0.0')
})

/** Open the release at one place alone. */
async function at(place: string, environment: Readonly<Record<string, string>> = {}): Promise<ResolvedRelease> {
  const mirror = await openMirror(parsePlace(place), { environment, warn: () => {}, signal })
  const places = new Places({ mirrors: [mirror], retryTools: { wait: async () => {}, random: () => 0 } })
  const { record, recordBytes } = release
  const cacheFolder = tempFolder()
  return resolvedRelease({ record, recordBytes, recordDigest: digestOf(recordBytes), places, cacheFolder, signal })
}

/** Read segments, and check them again. */
async function read(opened: ResolvedRelease, wanted = release.manifest.segments): Promise<number> {
  const told: string[] = []
  const source = await opened.source(release.manifest, (place, { code }) => told.push(`${place} ${code}`))
  const found: string[] = []
  for await (const { bytes } of source.read(wanted, signal)) found.push(digestOf(bytes))
  expect(found).toEqual(wanted.map(({ digest }) => digest))
  return source.fetchedBytes
}

const payloadBytes = () => release.manifest.segmentsSizeBytes
const artifactOf = (kind: string) => release.record.components[0]!.artifacts.find(artifact => artifact.kind === kind)!
const isManifest = async (opened: ResolvedRelease) =>
  digestOf((await opened.manifest()).manifestBytes) === artifactOf('manifest').digest

describe.skipIf(!needTool('nginx'))('nginx over a repository', () => {
  let ports: { readonly ranged: number; readonly whole: number }
  let log: string
  let proxy: CuttingProxy

  beforeAll(async () => {
    ports = { ranged: await freePort(), whole: await freePort() }
    log = path.join(base, 'nginx.log')
    const server = (port: number, more: string) => `server {
      listen 127.0.0.1:${port};
      root ${repository.folder};
      access_log ${log} bytes;
      ${more}
    }`
    const http = `log_format bytes '$uri $status $body_bytes_sent $http_range';
      gzip on; gzip_types *; gzip_min_length 1;
      ${server(ports.ranged, '')}
      ${server(ports.whole, 'max_ranges 0;')}`
    await startNginx(http, ports.ranged)
    proxy = await cuttingProxy(ports.ranged)
  })
  beforeEach(() => fs.writeFileSync(log, ''))

  const served = () => {
    const lines = fs.readFileSync(log, 'utf8').trimEnd().split('\n')
    return lines.filter(line => line !== '').map(line => line.split(' '))
  }
  const servedBytes = () => served().reduce((sum, [, , sizeBytes]) => sum + Number(sizeBytes), 0)

  it('sends what is asked for, and what came is what it sent', async () => {
    const opened = await at(`http://127.0.0.1:${ports.ranged}`)
    expect(await isManifest(opened)).toBe(true)
    expect(await read(opened)).toBe(payloadBytes())
    await expect.poll(servedBytes).toBe(opened.fetchedBytes)
    expect(served().filter(([, status]) => status === '206').length).toBeGreaterThan(1)
  })

  it('sends one segment for one segment', async () => {
    const [, second] = release.manifest.segments
    const opened = await at(`http://127.0.0.1:${ports.ranged}`)
    expect(await read(opened, [second!])).toBe(second!.sizeBytes)
    await expect.poll(servedBytes).toBe(second!.sizeBytes)
  })

  it('without ranges sends the whole once', async () => {
    const opened = await at(`http://127.0.0.1:${ports.whole}`)
    await read(opened)
    await read(opened)
    await expect.poll(() => served().length).toBe(1)
    expect(servedBytes()).toBeLessThanOrEqual(artifactOf('tarball').sizeBytes)
    expect(opened.fetchedBytes).toBeLessThanOrEqual(servedBytes())
  })

  it('is an apt mirror, too: the package has the same segments', async () => {
    const opened = await at(`apt:http://127.0.0.1:${ports.ranged}`)
    expect(await read(opened)).toBe(payloadBytes())
    await expect.poll(() => new Set(served().map(([uri]) => path.extname(uri!)))).toEqual(new Set(['.deb']))
  })

  it('may be cut off again and again: what came is not sent again', async () => {
    const cuts = [1_000_000, 2_000_000, 500_000].map(afterBytes => ({ direction: 'down', afterBytes }) as const)
    proxy.cutNext(cuts)
    const opened = await at(`http://127.0.0.1:${proxy.port}`)
    expect(await read(opened)).toBe(payloadBytes())
    expect(proxy.cuts()).toBe(3)
  })

  it('has delta packs, of which a run that was killed leaves what it had for the next one', async () => {
    const [trustFolder, cacheFolder, folder] = [tempFolder(), tempFolder(), tempFolder()]
    const repositoryUrl = `http://127.0.0.1:${ports.ranged}`
    await pinRoot({ folder: trustFolder, repositoryUrl })
    const order = { trustFolder, repositoryUrl, cacheFolder, file: path.join(folder, 'never') }
    const script = path.join(import.meta.dirname, '../support/fetch-victim.ts')
    const victim = spawn(process.execPath, [script, JSON.stringify(order)], { stdio: 'ignore' })
    const ended = once(victim, 'close')
    const keptBytes = () =>
      fs.readdirSync(cacheFolder).map(name => fs.statSync(path.join(cacheFolder, name)).size)[0] ?? 0
    await expect.poll(keptBytes, { interval: 10, timeout: 10_000 }).toBeGreaterThan(100_000)
    victim.kill('SIGKILL')
    await ended
    const kept = keptBytes()
    const resolver = resolveFromRepository({ trustFolder, repositoryUrl, fetching: { cacheFolder } }, signal)
    const opened = await resolver.release('app', '1.0.0')
    const [delta] = opened.deltas
    const file = path.join(folder, 'delta')
    expect(await delta!.fetch(file, signal)).toBe(delta!.sizeBytes - kept)
    expect(digestOf(fs.readFileSync(file))).toBe(artifactOf('delta').digest)
    await opened.forget()
    expect([keptBytes(), fs.existsSync(file)]).toEqual([0, true])
  })

  it('stands behind mirrors: one that lies is told and left, one that breaks off is followed where it stopped', async () => {
    const lying = path.join(base, 'lying')
    fs.cpSync(path.join(repository.folder, 'pool'), path.join(lying, 'pool'), { recursive: true })
    const tarball = path.join(lying, poolKey('app', '1.0.0', artifactOf('tarball').name))
    const descriptor = fs.openSync(tarball, 'r+')
    fs.writeSync(descriptor, Buffer.from('other bytes'), 0, 11, release.manifest.segments[0]!.sizeBytes + 1000)
    fs.closeSync(descriptor)
    const trustFolder = tempFolder()
    const repositoryUrl = `http://127.0.0.1:${ports.ranged}`
    await pinRoot({ folder: trustFolder, repositoryUrl })
    const told: string[] = []
    const mirrors = ['http://127.0.0.1:9/vendor', lying, `apt:http://127.0.0.1:${ports.ranged}`]
    const onFailure = (place: string, { code }: { readonly code: string }) => told.push(`${place} ${code}`)
    const fetching = { mirrors, cacheFolder: tempFolder(), onFailure }
    const resolver = resolveFromRepository({ trustFolder, repositoryUrl, fetching }, signal)
    const opened = await resolver.release('app', '1.0.0')
    expect(await isManifest(opened)).toBe(true)
    const source = await opened.source(release.manifest, onFailure)
    const found = await Array.fromAsync(source.read(release.manifest.segments, signal))
    expect(found.map(({ segment }) => segment.index)).toEqual(release.manifest.segments.map(({ index }) => index))
    expect(told.map(line => line.replace(/^\S*\/\/([^/]*)\/.*(?= )/, '$1'))).toEqual([
      '127.0.0.1:9 HTTP_FAILED',
      expect.stringContaining('SEGMENT_DIGEST'),
    ])
    const debs = served().filter(([uri]) => uri!.endsWith('.deb'))
    const debBytes = debs.reduce((sum, [, , sizeBytes]) => sum + Number(sizeBytes), 0)
    expect(debBytes).toBeLessThan(payloadBytes())
  })

  it('is asked first when it answers first', async () => {
    const silent = http.createServer(() => {})
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const trustFolder = tempFolder()
    await pinRoot({ folder: trustFolder, repositoryUrl: repository.url })
    const mirrors = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${ports.ranged}`]
    const fetching = { mirrors, mirrorOrder: 'fastest', cacheFolder: tempFolder() } as const
    const resolver = resolveFromRepository({ trustFolder, repositoryUrl: repository.url, fetching }, signal)
    const opened = await resolver.release('app', '1.0.0')
    await read(opened)
    await expect.poll(servedBytes).toBeGreaterThan(payloadBytes())
    silent.closeAllConnections()
    silent.close()
  })
})

describe.skipIf(!needTool('docker-registry', 'htpasswd'))("Docker's registry", () => {
  const push = async (host: string, environment: Readonly<Record<string, string>>) => {
    const outlet = await openOutlet(`oci://${host}/team`, { environment, cwd: base })
    await outlet.publish({ ...release, standing: newest }, outletTools(release.folder))
  }

  it('has the payload as a layer, and the manifest as what refers to the image', async () => {
    const { host } = await dockerRegistry()
    await push(host, {})
    const opened = await at(`oci://${host}/team`)
    expect(await isManifest(opened)).toBe(true)
    expect(await read(opened)).toBe(payloadBytes())
  })

  it('asks for credentials, which are those that are stored for it', async () => {
    const { host } = await dockerRegistry({ kind: 'htpasswd', user: 'ada', password: 's3cret' })
    const file = path.join(tempFolder(), 'auth.json')
    const auth = Buffer.from('ada:s3cret').toString('base64')
    fs.writeFileSync(file, JSON.stringify({ auths: { [host]: { auth } } }), { mode: 0o600 })
    await push(host, { REGISTRY_AUTH_FILE: file })
    expect(await read(await at(`oci://${host}/team`, { REGISTRY_AUTH_FILE: file }))).toBe(payloadBytes())
    await expect(read(await at(`oci://${host}/team`))).rejects.toMatchObject({ code: 'REGISTRY_AUTH' })
  })
})

describe('an object store', () => {
  it('is read with credentials or without, whole or by range', async () => {
    const server = await s3Server()
    for (const artifact of [artifactOf('tarball'), artifactOf('manifest')]) {
      const key = `vendor/${poolKey('app', '1.0.0', artifact.name)}`
      const body = fs.readFileSync(path.join(release.folder, artifact.name))
      await fetch(`${server.url}/${server.bucket}/${key}`, { method: 'PUT', body })
    }
    const { address, environment } = s3Place(server, 'vendor')
    for (const each of [environment, {}]) expect(await isManifest(await at(address, each))).toBe(true)
    expect(await read(await at(address))).toBe(payloadBytes())
  })

  it('gets signatures where there are credentials, and none where there are none', async () => {
    const seen: (string | undefined)[] = []
    const server = http.createServer((request, response) => {
      seen.push(request.headers.authorization?.split(' ')[0])
      response.writeHead(404, { 'content-type': 'application/xml' }).end('<Error><Code>NoSuchKey</Code></Error>')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { address, environment } = s3Place({ url: `http://127.0.0.1:${port}`, bucket: 'releases' }, 'vendor')
    for (const each of [environment, {}]) {
      await expect((await at(address, each)).manifest()).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
    }
    expect(seen).toEqual(['AWS4-HMAC-SHA256', undefined])
    server.closeAllConnections()
    server.close()
  })

  it('that has no such object, or answers with an error, is told as that', async () => {
    const server = await s3Server()
    const { address, environment } = s3Place(server, 'vendor')
    await expect((await at(address, environment)).manifest()).rejects.toMatchObject({ code: 'SEGMENT_MISSING' })
    const denied = { status: 403, headers: {}, body: Buffer.from('<Error><Code>AccessDenied</Code></Error>') }
    server.failNext(/^GET/, [denied])
    await expect((await at(address, environment)).manifest()).rejects.toMatchObject({
      code: 'HTTP_FAILED',
      details: { status: 403 },
    })
    const endless = { status: 500, headers: {}, body: Buffer.alloc(2 ** 20) }
    server.failNext(
      /^GET/,
      Array.from({ length: 9 }, () => endless),
    )
    await expect((await at(address, environment)).manifest()).rejects.toMatchObject({ code: 'HTTP_TOO_LARGE' })
  })
})

describe('releases at GitHub', () => {
  let tagged: EnvelopedRelease

  beforeAll(() => {
    tagged = { ...release, record: { ...release.record, tag: 'v1.0.0' } }
  })

  const open = async (environment: Readonly<Record<string, string>>) => {
    const mirror = await openMirror(parsePlace('github:ada/notes'), { environment, warn: () => {}, signal })
    const { record, recordBytes } = tagged
    const cacheFolder = tempFolder()
    const places = new Places({ mirrors: [mirror] })
    return resolvedRelease({ record, recordBytes, recordDigest: digestOf(recordBytes), places, cacheFolder, signal })
  }

  it('are fetched as a browser does, from where they lead to', async () => {
    const server = http.createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://fake')
      const name = path.basename(url.pathname)
      if (url.pathname === `/ada/notes/releases/download/v1.0.0/${name}`) {
        return void response.writeHead(302, { location: `/storage/${name}?signature=s3cret` }).end()
      }
      const bytes = fs.readFileSync(path.join(release.folder, name))
      const [start = 0, last = 0] = (request.headers.range ?? `bytes=0-${bytes.byteLength - 1}`)
        .slice(6)
        .split('-')
        .map(Number)
      response.writeHead(206, { 'content-range': `bytes ${start}-${last}/${bytes.byteLength}` })
      response.end(bytes.subarray(start, last + 1))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    afterAll(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo
    expect(await read(await open({ GITHUB_SERVER_URL: `http://127.0.0.1:${port}` }))).toBe(payloadBytes())
  })

  it('are asked for by the API where there is a token, which goes nowhere else', async () => {
    const github = await new FakeGithub().start()
    const assets = [artifactOf('tarball'), artifactOf('manifest')].map(({ name }, at) => {
      const bytes = fs.readFileSync(path.join(release.folder, name))
      return { id: at + 1, name, label: name, state: 'uploaded', bytes } as const
    })
    const flags = { name: '', body: '', draft: false, prerelease: false, immutable: false }
    github.releases.push({ id: 9, tag_name: 'v1.0.0', ...flags, assets: [...assets] })
    const opened = await open({ GITHUB_API_URL: github.url, GITHUB_TOKEN: 's3cret-token' })
    expect(await isManifest(opened)).toBe(true)
    expect(await read(opened)).toBeLessThanOrEqual(artifactOf('tarball').sizeBytes)
    expect(new Set(github.calls.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer s3cret-token']))
    expect(github.downloads.length).toBe(2)
    expect(github.downloads.map(({ authorization }) => authorization)).toEqual([undefined, undefined])
  })
})
