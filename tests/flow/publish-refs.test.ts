import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { findRepository, type RepositoryPlaces } from '../../src/source/facts.ts'
import { type Git, gitIn } from '../../src/source/git.ts'
import { finishPending, type PendingRelease, publishRelease } from '../../src/source/publish.ts'
import { openScratch, type Scratch } from '../../src/source/scratch.ts'
import { type TestRepository, testRepository, writeFiles } from '../support/git-repository.ts'
import { tempFolder } from '../support/temp.ts'

let repository: TestRepository
let git: Git
let places: RepositoryPlaces
let scratch: Scratch
let pending: PendingRelease

beforeEach(async () => {
  repository = testRepository()
  const from = repository.commit('one', { version: '1.0.0\n', other: 'x\n' })
  const { environment } = repository
  git = gitIn(repository.folder, { environment })
  places = await findRepository(git)
  scratch = await openScratch(git, places, { folder: tempFolder(), environment })
  const tree = await scratch.writeTree(from, [
    { path: 'version', content: '1.1.0\n' },
    { path: 'docs/CHANGELOG.md', content: '# Changelog\n' },
  ])
  const to = await scratch.writeCommit({ tree, parent: from, message: 'Release 1.1.0\n' })
  const tagObject = await scratch.writeTag({ name: 'v1.1.0', commit: to, message: 'notes 1.1.0\n' })
  pending = { schema: 1, version: '1.1.0', branch: 'main', from, to, tag: 'v1.1.0', tagObject }
})

const pendingFile = () => path.join(repository.folder, '.git/cutover/pending.json')
const read = (file: string) => fs.readFileSync(path.join(repository.folder, file), 'utf8')
const writePending = () => {
  fs.mkdirSync(path.dirname(pendingFile()), { recursive: true })
  fs.writeFileSync(pendingFile(), JSON.stringify(pending))
}
/** What a kill right before the transaction leaves: objects, and the intent. */
const beginOnly = () => {
  repository.git('fetch', '--quiet', '--no-tags', '--no-write-fetch-head', scratch.repository, 'refs/tags/v1.1.0')
  writePending()
}

function expectReleased() {
  expect(repository.git('rev-parse', 'main', 'v1.1.0', 'v1.1.0^{commit}')).toBe(
    `${pending.to}\n${pending.tagObject}\n${pending.to}\n`,
  )
  expect(repository.git('status', '--porcelain')).toBe('')
  expect(read('version')).toBe('1.1.0\n')
  expect(read('docs/CHANGELOG.md')).toBe('# Changelog\n')
  expect(fs.existsSync(pendingFile())).toBe(false)
}

describe('publishRelease', () => {
  it('moves branch and tag and brings the user’s files along', async () => {
    await expect(publishRelease(git, places, scratch, pending)).resolves.toEqual({ left: [] })
    expectReleased()
    expect(repository.git('reflog', '--format=%gs', '-1', 'main')).toBe('release: v1.1.0\n')
  })

  it('makes only the tag when the release changes no file', async () => {
    const tagObject = await scratch.writeTag({ name: 'v1.2.0', commit: pending.from, message: 'm' })
    const only = { ...pending, to: pending.from, tag: 'v1.2.0', tagObject }
    await publishRelease(git, places, scratch, only)
    expect(repository.git('rev-parse', 'main', 'v1.2.0^{commit}')).toBe(`${pending.from}\n${pending.from}\n`)
  })

  it('changes nothing when the branch moved meanwhile', async () => {
    repository.commit('meanwhile', { other: 'y\n' })
    const before = repository.state()
    await expect(publishRelease(git, places, scratch, pending)).rejects.toMatchObject({ code: 'SOURCE_MOVED' })
    expect(repository.state()).toBe(before)
    expect(fs.existsSync(pendingFile())).toBe(false)
  })

  it('changes nothing when the tag appeared meanwhile', async () => {
    repository.git('tag', 'v1.1.0')
    const before = repository.state()
    await expect(publishRelease(git, places, scratch, pending)).rejects.toMatchObject({ code: 'SOURCE_MOVED' })
    expect(repository.state()).toBe(before)
  })

  it('leaves files alone that were changed meanwhile, and says which', async () => {
    writeFiles(repository.folder, { version: 'edited\n', other: 'edited too\n' })
    await expect(publishRelease(git, places, scratch, pending)).resolves.toEqual({ left: ['version'] })
    expect(read('version')).toBe('edited\n')
    expect(read('other')).toBe('edited too\n')
    expect(read('docs/CHANGELOG.md')).toBe('# Changelog\n')
  })

  it('makes the release even when the index is locked, and says what is left to do', async () => {
    const lock = path.join(repository.folder, '.git/index.lock')
    fs.writeFileSync(lock, '')
    const published = await publishRelease(git, places, scratch, pending)
    expect(published.unfinished).toMatchObject({ code: 'GIT_FAILED' })
    fs.rmSync(lock)
    await expect(finishPending(git, places)).resolves.toMatchObject({ kind: 'finished', left: [] })
    expectReleased()
  })

  it('leaves the files of another branch alone', async () => {
    repository.git('switch', '--quiet', '--create', 'topic')
    await publishRelease(git, places, scratch, pending)
    expect(repository.git('rev-parse', 'main').trim()).toBe(pending.to)
    expect(repository.git('status', '--porcelain')).toBe('')
    expect(read('version')).toBe('1.0.0\n')
  })
})

describe('finishPending', () => {
  it('has nothing to do without a begun release', async () => {
    await expect(finishPending(git, places)).resolves.toEqual({ kind: 'none' })
  })

  it('drops a release that was killed before its refs moved', async () => {
    const before = repository.state()
    beginOnly()
    await expect(finishPending(git, places)).resolves.toEqual({ kind: 'undone', release: pending })
    expect(repository.state()).toBe(before)
    expect(fs.existsSync(pendingFile())).toBe(false)
  })

  it('drops one that was killed holding the locks of its refs', async () => {
    const before = repository.state()
    beginOnly()
    const locks = [
      ['heads/main.lock', pending.to],
      ['tags/v1.1.0.lock', pending.tagObject],
    ] as const
    for (const [name, object] of locks) fs.writeFileSync(path.join(repository.folder, '.git/refs', name), `${object}\n`)
    await expect(finishPending(git, places)).resolves.toMatchObject({ kind: 'undone' })
    expect(repository.state()).toBe(before)
    repository.git('tag', 'v1.1.0')
  })

  it('does not touch a lock that another git holds', async () => {
    beginOnly()
    const lock = path.join(repository.folder, '.git/refs/heads/main.lock')
    fs.writeFileSync(lock, `${'1'.repeat(40)}\n`)
    await finishPending(git, places)
    expect(fs.existsSync(lock)).toBe(true)
  })

  it.each([
    ['between branch and tag', true, false],
    ['between tag and branch', false, true],
    ['before the files followed', true, true],
  ])('finishes one that was killed %s', async (_, branch, tag) => {
    beginOnly()
    if (branch) repository.git('update-ref', 'refs/heads/main', pending.to)
    if (tag) repository.git('update-ref', 'refs/tags/v1.1.0', pending.tagObject)
    await expect(finishPending(git, places)).resolves.toEqual({ kind: 'finished', release: pending, left: [] })
    expectReleased()
  })

  it.each(['version', 'docs/CHANGELOG.md'])('finishes one that was killed after %s was written', async file => {
    beginOnly()
    repository.git('update-ref', 'refs/heads/main', pending.to)
    repository.git('update-ref', 'refs/tags/v1.1.0', pending.tagObject)
    writeFiles(repository.folder, { [file]: repository.git('show', `${pending.to}:${file}`) })
    await finishPending(git, places)
    expectReleased()
  })

  it('can be killed itself and run again', async () => {
    await publishRelease(git, places, scratch, pending)
    writePending()
    await expect(finishPending(git, places)).resolves.toMatchObject({ kind: 'finished' })
    expectReleased()
  })

  it('refuses a record that is damaged', async () => {
    writePending()
    for (const text of ['', '{', '{"schema":1}', JSON.stringify({ ...pending, branch: 'x\n' })]) {
      fs.writeFileSync(pendingFile(), text)
      await expect(finishPending(git, places)).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' })
    }
  })
})
