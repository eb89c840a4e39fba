import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Digest, digestOf, hexOf } from '../../src/core/digest.ts'
import { readBase } from '../../src/envelope/oci-base.ts'
import { debianComponents } from '../../src/evidence/debian.ts'
import { describeBase } from '../../src/flow/base-evidence.ts'
import { cut } from '../../src/flow/cut.ts'
import { lockImages } from '../../src/flow/image-lock.ts'
import { verifyRelease } from '../../src/flow/repository-verify.ts'
import { upload } from '../../src/flow/upload.ts'
import { parseReleaseRecord, type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { artifactsOf } from '../../src/repository/artifacts.ts'
import { envelopeName } from '../../src/repository/evidence.ts'
import { baseLayout, TestLayout, type TestMember } from '../support/base-layout.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { pingRepository } from '../support/ping-app.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
const image = path.join(base, 'image')
const debian: readonly TestMember[] = [
  {
    path: './var/lib/dpkg/status',
    content: 'Package: tini\nStatus: install ok installed\nVersion: 0.19-3\nArchitecture: all\n',
  },
  { path: 'usr/lib/os-release', content: 'ID=debian\nVERSION_ID="13"\n' },
  { path: 'etc/os-release', type: 'SymbolicLink', linkpath: '../usr/lib/os-release' },
]
const pool = 'pool/ping/1.0.0'
let baseDigest: Digest
let clone: ReturnType<typeof pingRepository>
let published: MadeRepository
let record: ReleaseRecord
let copy: string

beforeAll(async () => {
  clone = pingRepository({
    files: {
      'node_modules/greet/package.json': '{"name":"greet","version":"2.0.0","license":"MIT"}',
      'node_modules/broken/package.json': '{',
      'package-lock.json': '{"packages":{}}',
      'release.yaml': fs
        .readFileSync(path.join(pingRepository().folder, 'release.yaml'), 'utf8')
        .replace('entries: [', 'entries: [{ from: node_modules }, ')
        .replace('source:\n', 'source:\n  repository: https://ada:secret@git.example.org/ping.git\n')
        .replace('oci: { ', `oci: { base: "oci:${image}:stable", platforms: [linux/amd64, linux/arm64], `),
    },
  })
  const { folder: clonedTo, environment: mine } = clone
  const index = baseLayout(image, { members: [...debian, { path: 'srv/', type: 'Directory' }] })
  baseDigest = index.digest
  await lockImages({ cwd: clonedTo, environment: mine, update: false, plainHttp: false }, recordedTools())
  clone.commit('build: lock the base', {
    'release.lock.json': fs.readFileSync(path.join(clonedTo, 'release.lock.json'), 'utf8'),
  })
  published = await makeRepository(base, { applications: ['ping'] })
  const tools = recordedTools()
  const { folder: cwd, environment } = clone
  await cut({ cwd, environment, version: '1.0.0', snapshot: false, dryRun: false }, tools)
  expect(tools.events).toContainEqual({
    kind: 'warning',
    code: 'SBOM_PASSED_OVER',
    message: 'node_modules/broken/package.json is not JSON; it is passed over in the SBOM of ping',
  })
  record = parseReleaseRecord(fs.readFileSync(path.join(cwd, 'dist/1.0.0/release.json')))
  await uploadVersion('1.0.0')
})

beforeEach(() => {
  copy = path.join(tempFolder(), 'copy')
  fs.cpSync(published.folder, copy, { recursive: true })
})

async function uploadVersion(version: string): Promise<void> {
  const { folder: repository, keys } = published
  const { folder: cwd, environment } = clone
  await upload({ cwd, environment, repository, keys, version, remote: 'origin', planOnly: false }, recordedTools())
}

async function verify(): Promise<Record<string, string | undefined>> {
  const tools = recordedTools()
  const options = { cwd: base, environment: { PATH: process.env['PATH'] }, version: '1.0.0' }
  await verifyRelease({ ...options, repository: copy, keys: published.keys }, tools)
  return Object.fromEntries(
    tools.events.flatMap(event => (event.kind === 'step-done' ? [[event.step, event.summary]] : [])),
  )
}

function change(key: string, edit: (text: string) => string): void {
  const file = path.join(copy, key)
  const before = fs.readFileSync(file, 'utf8')
  expect(edit(before)).not.toBe(before)
  fs.rmSync(file)
  fs.writeFileSync(file, edit(before))
}

const readJson = (folder: string, key: string) => JSON.parse(fs.readFileSync(path.join(folder, key), 'utf8'))
const blobKey = (digest: Digest) => `oci/ping/blobs/sha256/${hexOf(digest)}`
const envelope = () => `${pool}/${envelopeName(record)}`

describe('the evidence of a release', () => {
  it('is verified with it', async () => {
    expect(await verify()).toMatchObject({
      'read the SBOM': 'ping: 5 packages, 5 files',
      'check the provenance': expect.stringMatching(/^7 subjects, 4 materials, by .*, the image refers to it$/),
    })
  })

  it('names its sources without credentials, its commands and its lock files', () => {
    const statement = readJson(copy, `${pool}/ping-1.0.0.provenance.json`)
    const { buildDefinition } = statement.predicate
    expect(buildDefinition.externalParameters).toMatchObject({
      repository: 'https://git.example.org/ping.git',
      tag: 'v1.0.0',
    })
    expect(buildDefinition.internalParameters.commands.tests).toEqual(['node --check server.js'])
    expect(buildDefinition.resolvedDependencies.map(({ name }: { name: string }) => name)).toEqual([
      'source',
      `oci:${image}:stable`,
      'package-lock.json',
      'release.lock.json',
    ])
    expect(buildDefinition.resolvedDependencies[1].digest).toEqual({ sha256: hexOf(baseDigest) })
    expect(JSON.stringify(statement)).not.toContain('secret')
  })

  it('is found from the image, and the image is still the one of its version', () => {
    const [made] = artifactsOf(record, 'oci')
    const { manifests } = readJson(copy, 'oci/ping/index.json')
    expect(manifests[0]).toMatchObject({ digest: made!.digest, annotations: expect.anything() })
    const referring = manifests.filter((each: { artifactType?: string }) => each.artifactType !== undefined)
    const said = referring.map(({ artifactType, digest }: { artifactType: string; digest: Digest }) => {
      const manifest = readJson(copy, blobKey(digest))
      expect(manifest).toMatchObject({ artifactType, subject: { digest: made!.digest } })
      return [artifactType, manifest.layers[0].digest]
    })
    expect(said).toEqual([
      ['application/vnd.cutover.payload-manifest.v1+zstd', artifactsOf(record, 'manifest')[0]!.digest],
      ['application/vnd.cyclonedx+json', artifactsOf(record, 'sbom')[0]!.digest],
      ['application/vnd.dsse.envelope.v1+json', digestOf(fs.readFileSync(path.join(copy, envelope())))],
    ])
  })

  it('tells what the base of the image brings, platform by platform', () => {
    const { components } = readJson(copy, `${pool}/ping-1.0.0.cdx.json`)
    const bases = components.filter(({ type }: { type: string }) => type === 'container')
    expect(bases).toHaveLength(2)
    for (const each of bases) {
      expect(each.components.map(({ purl }: { purl: string }) => purl)).toEqual([
        'pkg:deb/debian/tini@0.19-3?arch=all&distro=debian-13',
      ])
    }
  })

  it('is shown on the page of the release', () => {
    const page = fs.readFileSync(path.join(copy, 'pages/ping/1.0.0/index.html'), 'utf8')
    expect(page).toContain('ping-1.0.0.cdx.json</a>')
    expect(page).toContain('MIT')
    expect(page).toContain(`href="../../../${envelope()}"`)
  })

  it('is among the checksums for people', () => {
    const folder = path.join(clone.folder, 'dist/1.0.0')
    const listed = execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })
    expect(listed).toContain('ping-1.0.0.cdx.json: OK\n')
    expect(listed).toContain('ping-1.0.0.provenance.json: OK\n')
  })
})

it('reads the packages of a base as its layers leave them', async () => {
  const layout = new TestLayout(path.join(tempFolder(), 'base'))
  const layers = [
    layout.layer(debian),
    layout.layer([
      { path: 'var/lib/dpkg/.wh.status' },
      { path: 'var/lib/dpkg/status.d/base', content: 'Package: base-files\nVersion: 13\n' },
      { path: 'var/lib/dpkg/status.d/tzdata', content: 'Package: tzdata\nVersion: 2026a\n' },
      { path: 'var/lib/dpkg/status.d/base.md5sums', content: 'Package: none\nVersion: 1\n' },
    ]),
  ]
  layout.finish([[layout.index([layout.image('linux/amd64', layers)])]])
  const opened = await readBase({
    folder: layout.folder,
    name: 'base',
    publicName: 'debian:13',
    platforms: ['linux/amd64'],
  })
  const [described] = await describeBase(opened)
  expect(described).toMatchObject({
    reference: 'debian:13',
    platform: 'linux/amd64',
    osRelease: expect.stringContaining('ID=debian'),
  })
  expect(debianComponents(described!.dpkgStatus, { refPrefix: 'x' }).map(({ name }) => name)).toEqual([
    'base-files',
    'tzdata',
  ])
})

describe('release verify', () => {
  it.each(['ping-1.0.0.cdx.json', 'ping-1.0.0.provenance.json'])('refuses a changed %s', async name => {
    change(`${pool}/${name}`, text => text.replace('1.0.0', '1.0.1'))
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('refuses an envelope whose payload was changed', async () => {
    change(envelope(), text => {
      const json = JSON.parse(text)
      const statement = Buffer.from(json.payload, 'base64').toString().replace('node --check', 'curl evil')
      return JSON.stringify({ ...json, payload: Buffer.from(statement).toString('base64') })
    })
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('refuses an envelope of another repository', async () => {
    const other = await makeRepository(tempFolder(), { applications: ['ping'] })
    const { folder: cwd, environment } = clone
    const { folder: repository, keys } = other
    await upload(
      { cwd, environment, repository, keys, version: '1.0.0', remote: 'origin', planOnly: false },
      recordedTools(),
    )
    change(envelope(), () => fs.readFileSync(path.join(repository, envelope()), 'utf8'))
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('refuses what is no envelope, and misses one that is gone', async () => {
    change(envelope(), () => '{}')
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
    fs.rmSync(path.join(copy, envelope()))
    await expect(verify()).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' })
  })

  it('refuses an image whose provenance leads elsewhere', async () => {
    const { manifests } = readJson(copy, 'oci/ping/index.json')
    change(blobKey(manifests.at(-1).digest), text => text.replace(/"size":\d+/, '"size":1'))
    await expect(verify()).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })
})

describe('release upload', () => {
  it('signs nothing that is not about the release', async () => {
    const distFolder = path.join(tempFolder(), 'dist')
    fs.cpSync(path.join(clone.folder, 'dist'), distFolder, { recursive: true })
    // Somebody changed the package, and the record with it, but not the provenance.
    const [deb] = artifactsOf(record, 'deb')
    const bytes = Buffer.from('another package')
    fs.writeFileSync(path.join(distFolder, '1.0.0', deb!.name), bytes)
    const changed = { ...deb!, sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
    const components = record.components.map(({ name, artifacts }) => {
      return { name, artifacts: artifacts.map(artifact => (artifact.kind === 'deb' ? changed : artifact)) }
    })
    fs.writeFileSync(path.join(distFolder, '1.0.0/release.json'), recordBytes({ ...record, components }))
    const { folder: repository, keys } = await makeRepository(tempFolder(), { applications: ['ping'] })
    const { folder: cwd, environment } = clone
    const options = {
      cwd,
      environment,
      repository,
      keys,
      distFolder,
      version: '1.0.0',
      remote: 'origin',
      planOnly: false,
    }
    await expect(upload(options, recordedTools())).rejects.toMatchObject({ code: 'EVIDENCE_MISMATCH' })
  })

  it('keeps naming the provenance of older releases, as long as its signature holds', async () => {
    clone.commit('feat: more', { 'more.txt': 'more' })
    const { folder: cwd, environment } = clone
    await cut({ cwd, environment, version: '1.1.0', snapshot: false, dryRun: false }, recordedTools())
    await uploadVersion('1.1.0')
    const referrers = (folder: string) =>
      readJson(folder, 'oci/ping/index.json').manifests.filter(
        ({ artifactType }: { artifactType?: string }) => artifactType === 'application/vnd.dsse.envelope.v1+json',
      )
    expect(referrers(published.folder)).toHaveLength(2)
    expect(referrers(published.folder)[0]).toEqual(referrers(copy)[0])
  })
})
