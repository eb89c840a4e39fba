import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { initRepository } from '../../src/flow/repository-init.ts'
import { listRepository } from '../../src/flow/repository-list.ts'
import { type UploadOptions, upload } from '../../src/flow/upload.ts'
import type { UploadResult } from '../../src/flow/upload-report.ts'
import { uploadFolder } from '../../src/repository/plan-folder.ts'
import { openDirectory } from '../../src/repository/targets/directory.ts'
import { parseJson } from '../../src/sys/files.ts'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { addRemote, type TestRepository, testRepository } from '../support/git-repository.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const snapshot = '1.1.3-dev.1'

describe('a release that is uploaded', () => {
  let base: string
  let repository: MadeRepository

  beforeEach(async () => {
    base = tempFolder()
    repository = await makeRepository(base)
    await repository.publish({ version: snapshot, python: true })
  })

  const read = (key: string) => fs.readFileSync(path.join(repository.folder, key))

  it('is read by an installer through its signatures', async () => {
    const folder = path.join(base, 'trust')
    await pinRoot({ folder, repositoryUrl: repository.url, fingerprint: repository.fingerprint })
    const client = openRepository({ folder, repositoryUrl: repository.url })
    expect((await client.index('notes')).releases.map(release => release.version)).toEqual([snapshot])
    expect((await client.record('notes', snapshot)).bytes).toEqual(
      fs.readFileSync(path.join(repository.distFolder, snapshot, 'release.json')),
    )
  })

  it('is found unchanged by a second upload', async () => {
    const tools = recordedTools()
    const before = read('metadata/timestamp.json')
    expect(await repository.upload(snapshot, tools)).toMatchObject({ written: 0, linked: 0 })
    expect(tools.events.at(-1)).toMatchObject({ kind: 'run-done', changed: false })
    expect(read('metadata/timestamp.json')).toEqual(before)
  })

  it('is never replaced by other bytes of the same version', async () => {
    makeRelease({ distFolder: repository.distFolder, version: snapshot, content: 'something else' })
    await expect(repository.upload(snapshot)).rejects.toMatchObject({ code: 'REPOSITORY_CONFLICT' })
  })

  it('brings its application along when the targets key is there', async () => {
    await repository.publish({ version: '2.0.0-dev.1', name: 'weave' })
    const folder = path.join(base, 'trust')
    await pinRoot({ folder, repositoryUrl: repository.url })
    const client = openRepository({ folder, repositoryUrl: repository.url })
    expect((await client.index('weave')).releases).toHaveLength(1)
    expect((await client.index('notes')).releases).toHaveLength(1)
  })

  it('needs the targets key for a new application, and not for a known one', async () => {
    fs.rmSync(path.join(repository.keys, 'targets.json'))
    fs.rmSync(path.join(repository.keys, 'root.json'))
    const stranger = repository.publish({ version: '2.0.0-dev.1', name: 'weave' })
    await expect(stranger).rejects.toMatchObject({ code: 'KEY_MISSING' })
    expect(fs.existsSync(path.join(repository.keys, 'application-weave.json'))).toBe(false)
    expect(await repository.publish({ version: '1.1.4-dev.1' })).toMatchObject({ version: '1.1.4-dev.1' })
  })

  it('leaves a receipt for every operation', () => {
    const folder = uploadFolder(path.join(repository.distFolder, snapshot), repository.folder)
    const lines = fs.readFileSync(path.join(folder, 'receipt.ndjson'), 'utf8').trimEnd().split('\n')
    const receipts = lines.map(line => parseJson(line, 'receipt') as { key: string; outcome: string })
    expect(receipts.at(-1)).toMatchObject({ key: 'metadata/timestamp.json', outcome: 'written' })
    const linked = receipts.filter(receipt => receipt.outcome === 'linked').map(receipt => receipt.key)
    expect(linked).toContainEqual(expect.stringMatching(/^oci\/notes\/blobs\/sha256\//))
    expect(linked).toContain('dists/edge/main/binary-all/Packages.gz')
  })

  it('is refused when a file of it was damaged', async () => {
    makeRelease({ distFolder: repository.distFolder, version: '1.1.4-dev.1' })
    fs.appendFileSync(path.join(repository.distFolder, '1.1.4-dev.1/notes-1.1.4-dev.1.tar.gz'), 'x')
    await expect(repository.upload('1.1.4-dev.1')).rejects.toMatchObject({ code: 'RELEASE_DAMAGED' })
  })

  it('is refused when it was never cut', async () => {
    await expect(repository.upload('9.0.0')).rejects.toMatchObject({
      code: 'RELEASE_NOT_CUT',
      hint: expect.stringContaining('run release cut 9.0.0'),
    })
  })

  it('is refused with the keys of another repository', async () => {
    const other = await makeRepository(path.join(tempFolder(), 'other'))
    makeRelease({ distFolder: repository.distFolder, version: '1.1.4-dev.1' })
    const options = { ...uploadOptions(), version: '1.1.4-dev.1', keys: other.keys }
    await expect(upload(options, recordedTools())).rejects.toMatchObject({ code: 'TRUST_SIGNATURE', exitCode: 3 })
  })

  it.each([
    ['the list of releases', () => 'targets/notes'],
    ['metadata', () => 'metadata'],
  ])('is refused when %s of the repository was tampered with', async (_, folder) => {
    const place = path.join(repository.folder, folder())
    for (const name of fs.readdirSync(place).filter(each => each.endsWith('.json') && !each.includes('root'))) {
      const file = path.join(place, name)
      const text = fs.readFileSync(file, 'utf8')
      fs.rmSync(file)
      fs.writeFileSync(file, text.replace('notes', 'votes').replace('"expires":"2', '"expires":"3'))
    }
    const before = read('metadata/timestamp.json')
    await expect(repository.publish({ version: '1.1.4-dev.1' })).rejects.toMatchObject({
      code: expect.stringMatching(/^(TRUST_|REPOSITORY_DAMAGED)/),
    })
    expect(read('metadata/timestamp.json')).toEqual(before)
  })

  it('does not let tampering with what is generated get signed by the next', async () => {
    const index = path.join(repository.folder, 'dists/edge/main/binary-all/Packages.gz')
    // Not through the link to the same bytes under their hash.
    fs.rmSync(index)
    fs.writeFileSync(index, 'evil')
    fs.writeFileSync(path.join(repository.folder, 'index.html'), 'evil')
    fs.writeFileSync(path.join(repository.folder, 'simple/index.html'), 'evil')
    await repository.publish({ version: '1.1.4-dev.1' })
    expect(read('index.html').toString()).toContain('1.1.4-dev.1')
    expect(read('simple/index.html').toString()).not.toContain('evil')
    expect(read('dists/edge/main/binary-all/Packages.gz').toString()).not.toContain('evil')
  })

  it('is only shown with --plan', async () => {
    makeRelease({ distFolder: repository.distFolder, version: '2.0.0-dev.1', name: 'weave' })
    const before = fs.readdirSync(repository.folder, { recursive: true })
    const tools = recordedTools()
    await upload({ ...uploadOptions(), version: '2.0.0-dev.1', planOnly: true }, tools)
    expect(tools.events.at(-1)).toMatchObject({ kind: 'run-done', changed: false })
    expect(fs.readdirSync(repository.folder, { recursive: true })).toEqual(before)
    expect(fs.existsSync(path.join(repository.distFolder, '2.0.0-dev.1/upload'))).toBe(false)
    expect(fs.existsSync(path.join(repository.keys, 'application-weave.json'))).toBe(false)
  })

  it('is kept out while somebody else publishes', async () => {
    makeRelease({ distFolder: repository.distFolder, version: '1.1.4-dev.1' })
    const held = await openDirectory(repository.folder).lease('release upload', { waitMs: 0 })
    const waiting = upload({ ...uploadOptions(), version: '1.1.4-dev.1', waitMs: 0 }, recordedTools())
    await expect(waiting).rejects.toMatchObject({ code: 'LOCKED', exitCode: 5 })
    await held.release()
  })

  it('plans again when somebody published in the meantime, and nothing is lost', async () => {
    makeRelease({ distFolder: repository.distFolder, version: '1.1.4-dev.1' })
    makeRelease({ distFolder: repository.distFolder, version: '1.1.4-dev.2' })
    const elsewhere = path.join(tempFolder(), 'elsewhere')
    fs.cpSync(repository.folder, elsewhere, { recursive: true })
    await upload({ ...uploadOptions(), repository: elsewhere, version: '1.1.4-dev.2' }, recordedTools())
    const tools = recordedTools()
    let overtaken = 0
    const emit: typeof tools.emit = event => {
      tools.emit(event)
      if (event.kind !== 'step-started' || event.step !== 'read back' || overtaken > 0) return
      // Another host whose lock does not reach here, as on an export without locks.
      fs.cpSync(elsewhere, repository.folder, { recursive: true, force: true })
      overtaken += 1
    }
    await upload({ ...uploadOptions(), version: '1.1.4-dev.1' }, { ...tools, emit })
    expect(overtaken).toBe(1)
    expect(tools.events).toContainEqual({ kind: 'note', message: expect.stringContaining('planning again') })
    const listing = recordedTools()
    await listRepository(uploadOptions(), listing)
    const { releases } = listing.result<{ releases: readonly { version: string }[] }>()
    expect(releases.map(({ version }) => version)).toEqual(['1.1.4-dev.2', '1.1.4-dev.1', snapshot])
  })

  it('is listed, with what is cut and not published', async () => {
    makeRelease({ distFolder: repository.distFolder, version: '1.1.4-dev.1' })
    const tools = recordedTools()
    await listRepository(uploadOptions(), tools)
    expect(tools.result()).toMatchObject({
      releases: [{ application: 'notes', version: snapshot, kind: 'snapshot' }],
      unpublished: ['1.1.4-dev.1'],
    })
  })

  function uploadOptions(): UploadOptions {
    return {
      cwd: base,
      environment: { PATH: process.env['PATH'] },
      repository: repository.folder,
      keys: repository.keys,
      distFolder: repository.distFolder,
      remote: 'origin',
      planOnly: false,
    }
  }
})

describe('a tagged release', () => {
  let clone: TestRepository
  let folder: string

  beforeEach(async () => {
    clone = testRepository()
    const base = tempFolder()
    folder = path.join(base, 'repository')
    const common = { cwd: clone.folder, environment: clone.environment, applications: ['notes'] }
    await initRepository({ ...common, repository: folder, keys: path.join(base, 'keys') }, recordedTools())
    clone.commit('First', { 'version.txt': '1.0.0', '.gitignore': 'dist/\n' })
    clone.git('tag', '--annotate', '--message', 'Release 1.0.0', 'v1.0.0')
    const tree = clone.git('rev-parse', 'HEAD^{tree}').trim()
    makeRelease({ distFolder: path.join(clone.folder, 'dist'), version: '1.0.0', tag: 'v1.0.0', tree })
  })

  async function uploadNewest() {
    const tools = recordedTools()
    const options = { cwd: clone.folder, environment: clone.environment, remote: 'origin', planOnly: false }
    await upload(options, tools)
    return { ...tools.result<UploadResult>(), events: tools.events }
  }
  const pointer = () => fs.readFileSync(path.join(folder, 'metadata/timestamp.json'), 'utf8')

  it('needs no flags in the clone that was set up', async () => {
    expect(await uploadNewest()).toMatchObject({ application: 'notes', version: '1.0.0', repository: folder })
  })

  it('takes its tag and its branch to the remote', async () => {
    const remote = addRemote(clone)
    clone.commit('Later work')
    await uploadNewest()
    const commit = clone.git('rev-parse', 'v1.0.0^{commit}').trim()
    expect(clone.git('ls-remote', remote)).toContain(`${commit}\trefs/tags/v1.0.0^{}`)
    expect(clone.git('ls-remote', remote)).toContain(`${commit}\trefs/heads/main`)
  })

  it('stays unpublished when the remote has another tag of that name', async () => {
    const remote = addRemote(clone)
    const before = pointer()
    const other = clone.git('commit-tree', '-m', 'Other', 'HEAD^{tree}').trim()
    clone.git('push', '--quiet', remote, `${other}:refs/tags/v1.0.0`)
    await expect(uploadNewest()).rejects.toMatchObject({ code: 'TAG_PUSH' })
    expect(pointer()).toBe(before)
  })

  it('stays unpublished when the remote cannot be reached', async () => {
    const before = pointer()
    clone.git('remote', 'add', 'origin', path.join(tempFolder(), 'nowhere'))
    await expect(uploadNewest()).rejects.toMatchObject({ code: 'TAG_PUSH', retryable: true })
    expect(pointer()).toBe(before)
  })

  it('is refused without its tag', async () => {
    clone.git('tag', '--delete', 'v1.0.0')
    await expect(uploadNewest()).rejects.toMatchObject({ code: 'RELEASE_UNTAGGED' })
  })

  it('is refused when the tag marks something else', async () => {
    clone.commit('Change', { 'version.txt': '1.0.1' })
    clone.git('tag', '--force', 'v1.0.0')
    await expect(uploadNewest()).rejects.toMatchObject({ code: 'RELEASE_UNTAGGED' })
  })
})
