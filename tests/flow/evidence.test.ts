import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Digest, digestOf, hexOf } from '../../src/core/digest.ts'
import { cut } from '../../src/flow/cut.ts'
import { verifyRelease } from '../../src/flow/repository-verify.ts'
import { upload } from '../../src/flow/upload.ts'
import { parseReleaseRecord, type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { artifactsOf } from '../../src/repository/catalogue.ts'
import { envelopeName } from '../../src/repository/evidence.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { pingRepository } from '../support/ping-app.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const base = tempFolder()
const pool = 'pool/ping/1.0.0'
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
        .replace('source:\n', 'source:\n  repository: https://ada:secret@git.example.org/ping.git\n'),
    },
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
      'read the SBOM': 'ping: 1 package, 5 files',
      'check the provenance': expect.stringMatching(/^7 subjects, 2 materials, by .*, the image refers to it$/),
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
      'package-lock.json',
    ])
    expect(JSON.stringify(statement)).not.toContain('secret')
  })

  it('is found from the image, and the image is still the one of its version', () => {
    const [image] = artifactsOf(record, 'oci')
    const { manifests } = readJson(copy, 'oci/ping/index.json')
    expect(manifests[0]).toMatchObject({ digest: image!.digest })
    const [referrer] = manifests
      .filter(({ artifactType }: { artifactType?: string }) => artifactType !== undefined)
      .slice(-1)
    const manifest = readJson(copy, blobKey(referrer.digest))
    expect(manifest.subject.digest).toBe(image!.digest)
    const signed = fs.readFileSync(path.join(copy, blobKey(manifest.layers[0].digest)))
    expect(signed.equals(fs.readFileSync(path.join(copy, envelope())))).toBe(true)
  })

  it('is shown on the page of the release', () => {
    const page = fs.readFileSync(path.join(copy, 'pages/ping/1.0.0/index.html'), 'utf8')
    expect(page).toContain('ping-1.0.0.cdx.json</a>: CycloneDX 1.6, 1 package, 5 files; licences: MIT (1)')
    expect(page).toContain(`href="../../../${envelope()}"`)
  })

  it('is among the checksums for people', () => {
    const folder = path.join(clone.folder, 'dist/1.0.0')
    const listed = execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder, encoding: 'utf8' })
    expect(listed).toContain('ping-1.0.0.cdx.json: OK\n')
    expect(listed).toContain('ping-1.0.0.provenance.json: OK\n')
  })
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
    await expect(verify()).rejects.toMatchObject({ code: 'EVIDENCE_SIGNATURE' })
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
    await expect(verify()).rejects.toMatchObject({ code: 'EVIDENCE_SIGNATURE' })
  })

  it('refuses what is no envelope, and misses one that is gone', async () => {
    change(envelope(), () => '{}')
    await expect(verify()).rejects.toMatchObject({ code: 'EVIDENCE_INVALID' })
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
        ({ artifactType }: { artifactType?: string }) => artifactType === 'application/vnd.in-toto.bundle',
      )
    expect(referrers(published.folder)).toHaveLength(2)
    expect(referrers(published.folder)[0]).toEqual(referrers(copy)[0])
  })
})
