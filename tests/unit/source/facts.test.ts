import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { findRepository, readFacts } from '../../../src/source/facts.ts'
import { gitIn } from '../../../src/source/git.ts'
import { addRemote, type TestRepository, testRepository, writeFiles } from '../../support/git-repository.ts'
import { tempFolder } from '../../support/temp.ts'
import { minimalRecipe } from '../recipe/recipe-text.ts'

const { source } = parseRecipe(minimalRecipe, 'release.yaml').recipe

async function factsOf(repository: TestRepository, environment: Readonly<Record<string, string>> = {}) {
  const git = gitIn(repository.folder, { environment: { ...repository.environment, ...environment } })
  const places = await findRepository(git)
  return readFacts(git, places, { source, outputFolder: path.join(repository.folder, 'dist') })
}

describe('findRepository', () => {
  it('refuses a folder that is in none', async () => {
    const git = gitIn(tempFolder(), { environment: { PATH: process.env['PATH'] } })
    await expect(findRepository(git)).rejects.toMatchObject({ code: 'SOURCE_NOT_GIT' })
  })
})

describe('readFacts', () => {
  it('tells the releases in the history of HEAD from other tags', async () => {
    const repository = testRepository()
    repository.commit('one', { a: '1' })
    repository.git('tag', 'v1.10.0')
    repository.git('tag', 'v1.9.0')
    repository.git('tag', 'vendor')
    repository.git('switch', '--quiet', '--create', 'other')
    repository.commit('elsewhere')
    repository.git('tag', 'v2.0.0')
    repository.git('switch', '--quiet', 'main')
    const facts = await factsOf(repository)
    expect(facts).toMatchObject({ branch: 'main', dirty: [], shallow: false, submodules: [], hasIdentity: true })
    expect(facts.releases).toEqual(['1.9.0', '1.10.0'])
    expect(facts.tags).toContain('v2.0.0')
    expect(facts.head.timeSeconds).toBe(1_790_000_060)
    expect(facts.remote).toEqual({ kind: 'none' })
  })

  it('finds changed and untracked files, but not the output folder, and leaves no trace', async () => {
    const repository = testRepository()
    repository.commit('one', { 'a.txt': '1', 'b.txt': '1' })
    writeFiles(repository.folder, { 'a.txt': '2', 'ü new.txt': '', 'dist/1.0.0/release.json': '{}' })
    fs.utimesSync(path.join(repository.folder, 'b.txt'), 1, 1)
    const index = path.join(repository.folder, '.git', 'index')
    const before = fs.statSync(index).mtimeMs
    expect((await factsOf(repository)).dirty.toSorted()).toEqual(['a.txt', 'ü new.txt'])
    expect(fs.statSync(index).mtimeMs).toBe(before)
  })

  it('is not led elsewhere by variables of a hook that it runs in', async () => {
    const repository = testRepository()
    repository.commit('one', { a: '1' })
    const facts = await factsOf(repository, { GIT_DIR: '/nowhere', GIT_INDEX_FILE: '/nowhere', GIT_WORK_TREE: '/' })
    expect(facts.places.root).toBe(repository.folder)
  })

  it('finds submodules, a detached HEAD and a missing identity', async () => {
    const repository = testRepository()
    const commit = repository.commit('one', { a: '1' })
    repository.git('update-index', '--add', '--cacheinfo', `160000,${commit},lib`)
    repository.git('commit', '--quiet', '--message', 'module')
    repository.git('switch', '--quiet', '--detach')
    repository.git('config', '--unset', 'user.email')
    const facts = await factsOf(repository)
    expect(facts).toMatchObject({ branch: undefined, submodules: ['lib'], hasIdentity: false })
  })

  it('compares with the remote without fetching from it', async () => {
    const repository = testRepository()
    repository.commit('one', { a: '1' })
    const remote = addRemote(repository)
    repository.commit('two')
    expect((await factsOf(repository)).remote).toMatchObject({ kind: 'reached', contained: true, tags: [] })
    repository.git('push', '--quiet', 'origin', 'main')
    repository.git('push', '--quiet', 'origin', 'main:refs/tags/v1.0.0')
    repository.git('reset', '--quiet', '--hard', 'HEAD~1')
    expect((await factsOf(repository)).remote).toMatchObject({ contained: false, tags: ['v1.0.0'] })
    fs.rmSync(remote, { recursive: true })
    expect((await factsOf(repository)).remote).toMatchObject({ kind: 'unreachable' })
  })

  it('refuses a repository without a commit', async () => {
    await expect(factsOf(testRepository())).rejects.toMatchObject({ code: 'SOURCE_EMPTY' })
  })
})
