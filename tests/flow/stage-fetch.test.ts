import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { init } from '../../src/flow/init.ts'
import { install } from '../../src/flow/install.ts'
import type { InstallResult } from '../../src/flow/install-report.ts'
import { verifyTree } from '../../src/payload/verify.ts'
import { prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { openLocalRelease } from '../../src/prefix/local-release.ts'
import { isOwnPath } from '../../src/prefix/stage.ts'
import { runCutover, startCutover } from '../support/cutover-cli.ts'
import { noise } from '../support/payload.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { application, newVersion, oldVersion, publishPair, type ReleasePair } from '../support/release-pair.ts'
import { tempFolder } from '../support/temp.ts'
import { until } from '../support/toy-prefix.ts'

/** Incompressible, so that each is a segment of its own. */
const large = Object.fromEntries(
  Array.from({ length: 5 }, (_, index) => [`data/${index}`, noise(5_000_000, index + 1)]),
)
const text = (what: string) => `${what}\n`.repeat(2000)
const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`lib/${index}`, `${index}`]))
const oldFiles = { ...large, ...many, 'bin/run.sh': text('run'), 'etc/settings': text('old') }
const nextFiles = { ...oldFiles, 'etc/settings': `${text('old')}more` }

const base = tempFolder()
let pair: ReleasePair
let server: CountingServer

beforeAll(async () => {
  const folders = { old: path.join(base, 'old'), next: path.join(base, 'next') }
  for (const [folder, files] of [
    [folders.old, oldFiles],
    [folders.next, nextFiles],
  ] as const) {
    for (const [name, content] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
      fs.writeFileSync(path.join(folder, name), content)
    }
  }
  // The sources run as any user; who is root shares files with releases that this one cannot write to.
  const user = process.getuid!() === 0 ? { user: 'nobody' } : {}
  pair = await publishPair(path.join(base, 'vendor'), folders, { runtime: { kind: 'none' }, ...user })
  server = await countingServer(pair.repository.folder)
})

describe('an upgrade', () => {
  it('fetches the delta pack, no segment and no manifest', async () => {
    const prefix = await prefixWith(oldVersion)
    const { bytes, done } = await counted(() => put(prefix, newVersion))
    expect(bytesOf(bytes, '.delta')).toBe(pair.deltaBytes)
    expect(bytesOf(bytes, '.tar.zst')).toBe(0)
    // It is in the pack.
    expect(bytesOf(bytes, '.manifest.zst')).toBe(0)
    expect(done.result).toMatchObject({ writtenFiles: 1, reusedFiles: 66 })
    await expectWhole(prefix, newVersion)
  })

  it('fetches the segment of what changed when the delta pack is not what was signed', async () => {
    const prefix = await prefixWith(oldVersion)
    server.corrupted = '.delta'
    const { bytes, done } = await counted(() => put(prefix, newVersion))
    server.corrupted = undefined
    expect(bytesOf(bytes, '.tar.zst')).toBeGreaterThan(0)
    expect(bytesOf(bytes, '.tar.zst')).toBeLessThan(6_000_000)
    expect(done.tools.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'SEGMENT_DIGEST' }))
    await expectWhole(prefix, newVersion)
  })

  it.skipIf(process.getuid!() !== 0)(
    'shares what did not change with the release before, and nothing else',
    async () => {
      const prefix = await prefixWith(oldVersion)
      const inOld = (name: string) => path.join(releasePaths(prefixPaths(prefix), oldVersion).root, name)
      fs.writeFileSync(inOld('data/1'), noise(5_000_000, 9))
      const { bytes } = await counted(() => put(prefix, newVersion))
      expect(bytesOf(bytes, '.tar.zst')).toBeGreaterThanOrEqual(5_000_000)
      expect(bytesOf(bytes, '.tar.zst')).toBeLessThan(11_000_000)
      await expectWhole(prefix, newVersion)
      const links = Object.fromEntries(
        [...Object.keys(large), 'bin/run.sh', 'etc/settings'].map(name => [
          name,
          fs.statSync(path.join(releasePaths(prefixPaths(prefix), newVersion).root, name)).nlink,
        ]),
      )
      expect(links).toEqual({
        'data/0': 2,
        'data/1': 1,
        'data/2': 2,
        'data/3': 2,
        'data/4': 2,
        'bin/run.sh': 2,
        'etc/settings': 1,
      })
    },
  )
})

it('goes on after a kill with what had come', async () => {
  const prefix = await prefixWith(undefined)
  const command = ['install', '--prefix', prefix, '--version', oldVersion]
  server.log.length = 0
  server.stalledAfterBytes = 15_000_000
  const stalled = server.untilStalled()
  const child = startCutover(command)
  const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
  const endedEarly = closed.then(() => Promise.reject(new Error(`ended early: ${child.stderr.read()}`)))
  await Promise.race([endedEarly, stalled.then(() => untilWritten(prefix, 'data/0'))])
  endedEarly.catch(() => {})
  child.kill('SIGKILL')
  await closed
  server.stalledAfterBytes = undefined
  const { bytes, done } = await counted(() => runCutover(command))
  expect(done).toMatchObject({ exitCode: 0 })
  expect(bytesOf(bytes, '.tar.zst')).toBeLessThan(pair.tarballBytes - 5_000_000)
  await expectWhole(prefix, oldVersion)
  expect(fs.readdirSync(prefixPaths(prefix).releases)).toEqual([oldVersion])
})

async function prefixWith(version: string | undefined): Promise<string> {
  const prefix = fs.mkdtempSync(path.join(base, 'prefix-'))
  for (const folder of [base, prefix]) fs.chmodSync(folder, 0o755)
  const { fingerprint: rootFingerprint } = pair.repository
  await init(
    { prefix, repository: server.url, application, rootFingerprint, variables: {}, cutover: ['false'] },
    recordedTools(),
  )
  if (version !== undefined) await put(prefix, version)
  return prefix
}

async function put(prefix: string, version: string) {
  const tools = recordedTools()
  await install({ prefix, version }, tools)
  return { tools, result: tools.result<InstallResult>() }
}

async function expectWhole(prefix: string, version: string): Promise<void> {
  const { root, manifest } = openLocalRelease(prefixPaths(prefix), version)
  expect(await verifyTree(root, manifest!.files, { ignore: isOwnPath })).toEqual([])
}

/** Wait until a file of the release that is being staged is whole. */
async function untilWritten(prefix: string, name: string): Promise<void> {
  const file = path.join(releasePaths(prefixPaths(prefix), oldVersion).root, name)
  await until(async () => fs.statSync(file, { throwIfNoEntry: false })?.size === 5_000_000)
}

type Served = readonly { readonly name: string; readonly sizeBytes: number }[]

/** What the server sends meanwhile. */
async function counted<T>(work: () => Promise<T>): Promise<{ readonly done: T; readonly bytes: Served }> {
  server.log.length = 0
  const done = await work()
  return { done, bytes: [...server.log] }
}

function bytesOf(served: Served, ending: string): number {
  return served.filter(({ name }) => name.endsWith(ending)).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}

interface CountingServer {
  readonly url: string
  readonly log: { name: string; sizeBytes: number }[]
  /** Files whose names end so are sent with another last byte. */
  corrupted: string | undefined
  /** So many bytes of tarballs are sent; what comes after them never does. */
  stalledAfterBytes: number | undefined
  readonly untilStalled: () => Promise<void>
}

/** Serve a folder with ranges, counting. */
async function countingServer(folder: string): Promise<CountingServer> {
  let stalled = Promise.withResolvers<void>()
  const listener = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname)
    const file = path.join(folder, name)
    if (!fs.existsSync(file)) return void response.writeHead(404).end()
    const whole = fs.readFileSync(file)
    const [start = 0, end = whole.byteLength - 1] =
      /^bytes=(\d+)-(\d+)$/
        .exec(request.headers.range ?? '')
        ?.slice(1)
        .map(Number) ?? []
    const body = Buffer.from(whole.subarray(start, end + 1))
    if (running.corrupted !== undefined && name.endsWith(running.corrupted)) body[body.byteLength - 1]! ^= 1
    const status = request.headers.range === undefined ? 200 : 206
    response.writeHead(status, {
      'content-length': body.byteLength,
      'accept-ranges': 'bytes',
      ...(status === 206 ? { 'content-range': `bytes ${start}-${end}/${whole.byteLength}` } : {}),
    })
    const before = bytesOf(running.log, '.tar.zst')
    const room = name.endsWith('.tar.zst')
      ? (running.stalledAfterBytes ?? Number.POSITIVE_INFINITY) - before
      : body.byteLength
    const sent = body.subarray(0, Math.max(0, Math.min(room, body.byteLength)))
    running.log.push({ name, sizeBytes: sent.byteLength })
    if (sent.byteLength === body.byteLength) return void response.end(body)
    response.write(sent)
    stalled.resolve()
  })
  await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    listener.closeAllConnections()
    listener.close()
  })
  const running: CountingServer = {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    log: [],
    corrupted: undefined,
    stalledAfterBytes: undefined,
    untilStalled: () => {
      stalled = Promise.withResolvers<void>()
      return stalled.promise
    },
  }
  return running
}
