import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { findClone } from '../../src/flow/publisher.ts'
import { initRepository } from '../../src/flow/repository-init.ts'
import { listRepository } from '../../src/flow/repository-list.ts'
import { promoteRelease } from '../../src/flow/repository-promote.ts'
import { type UploadOptions, upload } from '../../src/flow/upload.ts'
import { uploadToOutlet } from '../../src/flow/upload-outlet.ts'
import type { UploadResult } from '../../src/flow/upload-report.ts'
import { type RepositoryUpload, uploadToRepository } from '../../src/flow/upload-target.ts'
import { readCut } from '../../src/repository/dist.ts'
import { uploadFolder } from '../../src/repository/plan-folder.ts'
import { type FakeRegistry, fakeRegistry } from '../support/fake-registry.ts'
import { type TestRepository, testRepository, writeFiles } from '../support/git-repository.ts'
import { makeOutletRelease } from '../support/outlet-tools.ts'
import { type RecordedTools, recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

/** One upload to several places, as a recipe names them. */
const version = '1.0.0-rc.1'
const tree = (clone: TestRepository) => clone.git('rev-parse', 'HEAD^{tree}').trim()
interface Listed {
  readonly version: string
  readonly channels: readonly string[]
}

let base: string
let clone: TestRepository
let registry: FakeRegistry

beforeEach(async () => {
  base = tempFolder()
  clone = testRepository()
  registry = await fakeRegistry()
  writeRecipe(['first', 'second', outletPlace()])
  clone.commit('First')
  clone.git('tag', `v${version}`)
  for (const name of ['first', 'second']) {
    // Two repositories with the same keys: whoever trusts the one trusts the other.
    const place = { cwd: clone.folder, environment: clone.environment, repository: path.join(base, name) }
    await initRepository({ ...place, keys: keys(), name: 'vendor', applications: ['notes'] }, recordedTools())
  }
  makeOutletRelease({
    distFolder: path.join(base, 'dist'),
    version,
    tag: `v${version}`,
    tree: tree(clone),
    evidence: true,
  })
})

describe('an upload to several places', () => {
  it('publishes at each, tells how, and says so to those who want to know', async () => {
    const { places } = await run()
    expect(places.map(({ kind }) => kind)).toEqual(['published', 'published', 'published'])
    expect(await versionsIn('first')).toEqual([version])
    expect(await versionsIn('second')).toEqual([version])
    expect(tagsAtRegistry()).toEqual([version, 'beta', 'edge'])
    const announced = JSON.parse(fs.readFileSync(path.join(clone.folder, 'announced.json'), 'utf8'))
    expect(announced).toMatchObject({ application: 'notes', version, channels: ['edge', 'beta'] })
    expect(announced.places).toHaveLength(3)
    for (const place of ['first', 'second'].map(name => path.join(base, name))) {
      const folder = uploadFolder(path.join(base, 'dist', version), place)
      expect(fs.readFileSync(path.join(folder, 'receipt.ndjson'), 'utf8')).toContain('metadata/timestamp.json')
    }
  })

  it('goes on with the others when one fails, is not 0, and only does what is left when it is run again', async () => {
    fs.renameSync(path.join(base, 'second'), path.join(base, 'away'))
    const tools = recordedTools()
    await expect(run(tools)).rejects.toMatchObject({
      code: 'UPLOAD_PARTIAL',
      exitCode: 1,
      details: { failed: [path.join(base, 'second')] },
    })
    expect(tools.events).toContainEqual(expect.objectContaining({ kind: 'warning', code: 'REPOSITORY_UNKNOWN' }))
    expect(await versionsIn('first')).toEqual([version])
    expect(tagsAtRegistry()).toContain(version)
    fs.renameSync(path.join(base, 'away'), path.join(base, 'second'))
    const { places } = await run()
    expect(places.map(({ kind }) => kind)).toEqual(['unchanged', 'published', 'unchanged'])
    expect(await versionsIn('second')).toEqual([version])
  })

  it('goes to no outlet when no repository has it: only they know which release a channel offers', async () => {
    for (const name of ['first', 'second']) fs.renameSync(path.join(base, name), path.join(base, `${name}-away`))
    const failed = ['first', 'second'].map(name => path.join(base, name)).concat(outletPlace())
    await expect(run()).rejects.toMatchObject({ code: 'UPLOAD_PARTIAL', details: { failed, published: [] } })
    expect(tagsAtRegistry()).toEqual([])
  })

  it('is told nobody when nothing was left to do', async () => {
    await run()
    fs.rmSync(path.join(clone.folder, 'announced.json'))
    const tools = recordedTools()
    await run(tools)
    expect(tools.events.at(-1)).toMatchObject({ kind: 'run-done', changed: false })
    expect(fs.existsSync(path.join(clone.folder, 'announced.json'))).toBe(false)
  })

  it('writes nowhere with --plan', async () => {
    const before = fs.readdirSync(base, { recursive: true })
    await run(recordedTools(), { planOnly: true })
    expect(fs.readdirSync(base, { recursive: true })).toEqual(before)
    expect([...registry.blobs.keys()]).toEqual([])
  })

  it('holds to a bandwidth, and to the places of the command line, each once', async () => {
    const second = path.join(base, 'second')
    const { places } = await run(recordedTools(), { to: [second, second], bytesPerSecond: 50_000_000 })
    expect(places.map(({ place }) => place)).toEqual([path.join(base, 'second')])
    expect(await versionsIn('first')).toEqual([])
  })

  it('refuses an address with a password, and shows it nowhere', async () => {
    const tools = recordedTools()
    const refused = run(tools, { to: ['https://ada:s3cret@releases.example/'] })
    await expect(refused).rejects.toMatchObject({ code: 'USAGE', message: expect.not.stringContaining('s3cret') })
    expect(JSON.stringify(tools.events)).not.toContain('s3cret')
  })

  it('is told before anything is published that its announcement cannot be signed', async () => {
    writeRecipe(['first'], 'webhook: { url: "http://127.0.0.1:9/", secretEnvironment: NOT_SET }')
    await expect(run()).rejects.toMatchObject({ code: 'ANNOUNCE_SECRET' })
    expect(await versionsIn('first')).toEqual([])
  })
})

describe('an outlet', () => {
  it('is told what the repository offers by then, not what it offered when the upload began', async () => {
    const newer = '1.0.0-rc.2'
    clone.git('tag', `v${newer}`)
    const distFolder = path.join(base, 'dist')
    makeOutletRelease({ distFolder, version: newer, tag: `v${newer}`, tree: tree(clone) })
    const options = {
      cwd: clone.folder,
      environment: clone.environment,
      keys: keys(),
      remote: 'origin',
      planOnly: false,
    }
    const tools = recordedTools()
    const release = await readCut(distFolder, version, () => {})
    const slow: RepositoryUpload = {
      options: { ...options, version },
      tools,
      clone: await findClone(options, tools),
      release,
      place: path.join(base, 'first'),
      bandwidth: undefined,
      counts: { written: 0, linked: 0, unchanged: 0, writtenBytes: 0 },
    }
    await uploadToRepository(slow)
    await run(recordedTools(), { version: newer, to: [path.join(base, 'first'), outletPlace()] })
    await uploadToOutlet({ ...options, place: outletPlace(), bandwidth: undefined }, release, slow, tools)
    const [edge, expected] = ['edge', newer].map(tag => registry.manifests.get(tag)?.bytes)
    expect(tagsAtRegistry()).toContain(version)
    expect(edge).toEqual(expected)
  })
})

describe('a promotion', () => {
  it('goes to every repository and moves the tags at the registry', async () => {
    await run()
    const { folder: cwd, environment } = clone
    await promoteRelease({ cwd, environment, keys: keys(), version, channel: 'stable' }, recordedTools())
    for (const name of ['first', 'second']) expect((await listed(name))[0]?.channels).toContain('stable')
    expect(tagsAtRegistry()).toContain('stable')
  })
})

describe('a promotion where one place is out of reach', () => {
  it('is made at all others, is not 0, and only does what is left when it is run again', async () => {
    await run()
    const { folder: cwd, environment } = clone
    const promote = (tools = recordedTools(), wanted = version) =>
      promoteRelease({ cwd, environment, keys: keys(), version: wanted, channel: 'stable' }, tools)
    fs.renameSync(path.join(base, 'first'), path.join(base, 'away'))
    const [first, second] = ['first', 'second'].map(name => path.join(base, name))
    await expect(promote()).rejects.toMatchObject({
      code: 'CHANGE_PARTIAL',
      details: { failed: [first], changed: [second] },
    })
    expect((await listed('second'))[0]?.channels).toContain('stable')
    expect(tagsAtRegistry()).toContain('stable')
    fs.renameSync(path.join(base, 'away'), path.join(base, 'first'))
    const tools = recordedTools()
    await promote(tools)
    expect(tools.events.at(-1)).toMatchObject({ changed: true, result: { moves: [{ channel: 'stable' }] } })
    expect((await listed('first'))[0]?.channels).toContain('stable')
    await expect(promote(recordedTools(), '9.9.9')).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' })
  })
})

describe('a list', () => {
  it('is of the repository that the recipe publishes to where the clone is set up for none', async () => {
    clone.git('config', '--unset', 'cutover.repository')
    await expect(listed()).rejects.toMatchObject({
      code: 'USAGE',
      details: { places: ['first', 'second'].map(name => path.join(base, name)) },
    })
    writeRecipe(['first', outletPlace()])
    await run()
    expect((await listed()).map(release => release.version)).toEqual([version])
  })
})

function outletPlace(): string {
  return `oci://${registry.host}/team`
}

function keys(): string {
  return path.join(base, 'keys')
}

function writeRecipe(targets: readonly string[], announce?: string): void {
  const places = targets.map(place => (place.includes(':') ? place : path.join(base, place)))
  const tell = "process.stdin.pipe(require('node:fs').createWriteStream('announced.json'))"
  writeFiles(clone.folder, {
    'release.yaml': `schema: 1
name: notes
summary: Keeps notes
licence: Apache-2.0
maintainer: Ada <ada@example.org>
payload:
  root: opt/notes
  entries: [{ from: release.yaml }]
publish:
  targets: ${JSON.stringify(places)}
  announce:
    ${announce ?? `command: ${JSON.stringify([process.execPath, '-e', tell])}`}
`,
  })
}

async function run(tools: RecordedTools = recordedTools(), more: Partial<UploadOptions> = {}): Promise<UploadResult> {
  const { folder: cwd, environment } = clone
  const options = { cwd, environment, keys: keys(), distFolder: path.join(base, 'dist'), version }
  await upload({ ...options, remote: 'origin', planOnly: false, ...more }, tools)
  return tools.result<UploadResult>()
}

async function listed(name?: string): Promise<readonly Listed[]> {
  const tools = recordedTools()
  const { folder: cwd, environment } = clone
  const repository = name === undefined ? undefined : path.join(base, name)
  await listRepository({ cwd, environment, repository, keys: keys() }, tools)
  return tools.result<{ releases: readonly Listed[] }>().releases
}

async function versionsIn(name: string): Promise<readonly string[]> {
  return (await listed(name)).map(release => release.version)
}

function tagsAtRegistry(): readonly string[] {
  return [...registry.manifests.keys()].filter(name => !name.startsWith('sha256')).sort()
}
