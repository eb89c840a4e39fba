import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { lookAtImage } from '../../src/registry/look.ts'
import { parseReference } from '../../src/registry/reference.ts'
import { artifactsOf } from '../../src/repository/artifacts.ts'
import { openOutlet } from '../../src/repository/outlets/open.ts'
import type { OutletRelease, Standing } from '../../src/repository/outlets/outlet.ts'
import { RateLimit } from '../../src/sys/rate-limit.ts'
import { codeOfAsync } from '../support/codes.ts'
import { dockerRegistry } from '../support/docker-registry.ts'
import { fakeRegistry, status } from '../support/fake-registry.ts'
import { killingProxy } from '../support/killing-proxy.ts'
import { makeOutletRelease, newest, outletTools } from '../support/outlet-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const base = tempFolder()
const victim = path.join(import.meta.dirname, '../support/outlet-victim.ts')
const nowhere: Standing = { heads: [], vacated: [], isStable: false, isLatest: false }

function make(version: string, standing = newest, content = version): OutletRelease {
  const distFolder = fs.mkdtempSync(path.join(base, 'dist-'))
  const release = makeOutletRelease({ distFolder, version, content, evidence: true }, standing)
  return { ...release, envelope: { name: `notes-${version}.intoto.jsonl`, bytes: Buffer.from('{"signed":true}\n') } }
}

const open = (host: string) => openOutlet(`oci://${host}/team`, { environment: {}, cwd: base })
const publish = async (host: string, release: OutletRelease, tools = outletTools(release.folder)) =>
  (await open(host)).publish(release, tools)
const look = (host: string, tag: string) => {
  const reference = parseReference(`${host}/team/notes:${tag}`)
  return lookAtImage({ reference, plainHttp: false, environment: {} }, outletTools(base))
}
const digestAt = async (host: string, tag: string) => (await look(host, tag)).digest
const imageOf = ({ record }: OutletRelease) => artifactsOf(record, 'oci')[0]!

describe.skipIf(!needTool('docker-registry'))("Docker's registry as an outlet", () => {
  it('has an image by its version and channels, with its signed provenance', async () => {
    const { host } = await dockerRegistry()
    const release = make('1.0.0')
    await (await open(host)).check(release, outletTools(release.folder))
    const first = await publish(host, release)
    expect(first).toMatchObject({ kind: 'published', message: `${host}/team/notes@${imageOf(release).digest}` })
    expect(first.sentBytes).toBeGreaterThan(0)
    for (const tag of ['1.0.0', 'edge', 'beta', 'stable'])
      expect(await digestAt(host, tag)).toBe(imageOf(release).digest)
    const { referrers } = await look(host, '1.0.0')
    expect(referrers.map(({ artifactType }) => artifactType)).toEqual(['application/vnd.dsse.envelope.v1+json'])
    expect(await publish(host, release)).toMatchObject({ kind: 'unchanged', sentBytes: 0 })
  })

  it('moves the tags of channels, and those alone', async () => {
    const { host } = await dockerRegistry()
    const [old, next] = [make('1.0.0'), make('1.1.0', { ...nowhere, heads: ['edge'] })]
    await publish(host, old)
    await publish(host, next)
    expect([await digestAt(host, 'edge'), await digestAt(host, 'stable')]).toEqual([
      imageOf(next).digest,
      imageOf(old).digest,
    ])
    const outlet = await open(host)
    const moved = [
      { ...next, standing: newest },
      { ...old, standing: nowhere },
    ]
    expect(await outlet.moveChannels(moved, outletTools(base))).toMatchObject({
      kind: 'published',
      message: '2 tags moved',
    })
    expect(await digestAt(host, 'stable')).toBe(imageOf(next).digest)
    expect(await outlet.moveChannels(moved, outletTools(base))).toMatchObject({ kind: 'unchanged' })
    expect(await digestAt(host, '1.0.0')).toBe(imageOf(old).digest)
    // What was never brought there has no tags to move.
    expect(await outlet.moveChannels([make('2.0.0')], outletTools(base))).toMatchObject({ kind: 'unchanged' })
  })

  it('never has another image under a version', async () => {
    const { host } = await dockerRegistry()
    const release = make('1.0.0')
    await publish(host, release)
    const other = make('1.0.0', newest, 'other content')
    expect(await codeOfAsync((await open(host)).check(other, outletTools(base)))).toBe('REPOSITORY_CONFLICT')
    expect(await codeOfAsync(publish(host, other))).toBe('REPOSITORY_CONFLICT')
    expect(await digestAt(host, 'stable')).toBe(imageOf(release).digest)
  })

  it('has everything once a push that was killed anywhere is run again', async () => {
    const release = make('1.0.0', newest, 'x'.repeat(3_000_000))
    const [layer] = artifactsOf(release.record, 'tarball')
    for (const afterBytes of [100, 2000, layer!.sizeBytes, layer!.sizeBytes + 4000]) {
      const { host } = await dockerRegistry()
      const proxy = await killingProxy(host, afterBytes)
      const order = { folder: release.folder, place: `oci://${proxy.host}/team` }
      const child = spawn(process.execPath, [victim, JSON.stringify(order)], { stdio: 'ignore' })
      proxy.onReached(() => child.kill('SIGKILL'))
      expect(await new Promise(resolve => child.once('exit', (_code, signal) => resolve(signal)))).toBe('SIGKILL')
      await publish(host, release)
      expect(await digestAt(host, 'stable')).toBe(imageOf(release).digest)
      expect(await publish(host, release)).toMatchObject({ kind: 'unchanged' })
    }
  })
})

describe('a registry as an outlet', () => {
  it('gets nothing of a release without an image', async () => {
    const fake = await fakeRegistry()
    const { record, ...release } = make('1.0.0')
    const bare = { ...record, components: [{ name: 'notes', artifacts: artifactsOf(record, 'tarball') }] }
    expect(await publish(fake.host, { ...release, record: bare })).toMatchObject({ kind: 'skipped' })
    expect(fake.requests).toEqual([])
  })

  it('is sent no more than it may be', async () => {
    const fake = await fakeRegistry()
    const waits: number[] = []
    const wait = async (durationMs: number) => void waits.push(durationMs)
    const bandwidth = new RateLimit(1000, { clock: { elapsedMs: () => 0 }, wait })
    const { sentBytes } = await publish(fake.host, make('1.0.0'), { ...outletTools(base), bandwidth })
    expect(Math.max(...waits)).toBeGreaterThan(sentBytes - 1000)
  })

  it('moves no channel to what does not read back', async () => {
    const fake = await fakeRegistry()
    const release = make('1.0.0')
    fake.fail('GET', /blobs/, (_request, response) => response.writeHead(200).end('other bytes'), 9)
    expect(await codeOfAsync(publish(fake.host, release))).toBe('REGISTRY_DIGEST')
    expect([...fake.manifests.keys()]).not.toContain('stable')
    await publish(fake.host, release)
    expect([...fake.manifests.keys()]).toContain('stable')
  })

  it('loses the tag of a channel that offers nothing any more, or says that it stays', async () => {
    const fake = await fakeRegistry()
    const release = make('1.0.0')
    await publish(fake.host, release)
    const tools = outletTools(base)
    const moved = [{ ...release, standing: { ...nowhere, vacated: ['stable'], yanked: { reason: 'bad' } } }]
    fake.fail('DELETE', /manifests\/stable/, status(405))
    expect(await (await open(fake.host)).moveChannels(moved, tools)).toMatchObject({ kind: 'unchanged' })
    expect(tools.warnings).toHaveLength(1)
    fake.fail('DELETE', /manifests\/stable/, status(202))
    expect(await (await open(fake.host)).moveChannels(moved, tools)).toMatchObject({ kind: 'published' })
  })
})
