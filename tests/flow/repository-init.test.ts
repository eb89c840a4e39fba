import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import {
  initRepository,
  type RepositoryInitOptions,
  type RepositoryInitResult,
} from '../../src/flow/repository-init.ts'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { testRepository } from '../support/git-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

let base: string
let folder: string
let keys: string

beforeEach(() => {
  base = tempFolder()
  folder = path.join(base, 'vendor')
  keys = path.join(base, 'keys')
})

async function init(changes: Partial<RepositoryInitOptions> = {}, nowMs = Date.now()) {
  const tools = recordedTools({ nowMs })
  const environment = { PATH: process.env['PATH'], HOME: base }
  await initRepository({ cwd: base, environment, repository: folder, keys, applications: [], ...changes }, tools)
  return { ...tools.result<RepositoryInitResult>(), last: tools.events.at(-1)! }
}

/** Every file with its digest, the lock apart. */
function contentOf(root: string): Record<string, string> {
  const files = fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const names = files.map(entry => path.relative(root, path.join(entry.parentPath, entry.name)))
  return Object.fromEntries(
    names
      .filter(name => !name.startsWith('.cutover'))
      .toSorted()
      .map(name => [name, digestOf(fs.readFileSync(path.join(root, name)))]),
  )
}

async function applicationsSeen(fingerprint: string, names: readonly string[]) {
  const trust = path.join(tempFolder(), 'trust')
  const repositoryUrl = pathToFileURL(folder).href
  await pinRoot({ folder: trust, repositoryUrl, fingerprint })
  const client = openRepository({ folder: trust, repositoryUrl })
  return Promise.all(names.map(async name => (await client.index(name)).releases.length))
}

describe('release init', () => {
  it('makes a repository that installers can trust, with no release in it', async () => {
    const { fingerprint } = await init({ applications: ['notes', 'weave'] })
    expect(await applicationsSeen(fingerprint, ['notes', 'weave'])).toEqual([0, 0])
  })

  it('changes nothing the second time', async () => {
    await init({ applications: ['notes'] })
    const before = contentOf(base)
    const again = await init({ applications: ['notes'] })
    expect(again.last).toMatchObject({ kind: 'run-done', changed: false })
    expect(contentOf(base)).toEqual(before)
  })

  it('changes settings, signs again what says them, and leaves nothing of what is no more', async () => {
    await init({ applications: ['notes'] })
    const publishedIn = (suite: string) => fs.readdirSync(path.join(folder, 'dists', suite), { recursive: true })
    expect(publishedIn('edge')).toContain('InRelease')
    const later = Date.now() + 60_000
    const settings: RepositoryInitOptions['settings'] = before => ({
      ...before,
      channels: ['beta', 'stable'],
      apt: { ...before.apt, validDays: 7, compressions: ['gz'] },
    })
    expect((await init({ url: 'https://releases.example/', settings }, later)).last).toMatchObject({ changed: true })
    const release = fs.readFileSync(path.join(folder, 'dists/stable/InRelease'), 'utf8')
    expect(release).toMatch(/^Valid-Until: /m)
    expect(release).toMatch(/^Snapshots: https:\/\/releases\.example\//m)
    expect(publishedIn('stable')).not.toContainEqual(expect.stringMatching(/\.zst$/))
    expect(fs.existsSync(path.join(folder, 'dists/edge'))).toBe(false)
    expect(fs.existsSync(path.join(folder, 'apt/edge.sources'))).toBe(false)
    expect((await init({}, later)).last).toMatchObject({ changed: false })
  })

  it('believes only settings that are signed', async () => {
    const { fingerprint } = await init({ applications: ['notes'] })
    const file = path.join(folder, 'repository.json')
    const description = JSON.parse(fs.readFileSync(file, 'utf8'))
    fs.rmSync(file)
    fs.writeFileSync(file, JSON.stringify({ ...description, aptKey: 'evil', channels: ['evil'] }))
    await init({ applications: ['weave'] })
    expect(await applicationsSeen(fingerprint, ['notes', 'weave'])).toEqual([0, 0])
    const signed = fs.readdirSync(path.join(folder, 'targets')).filter(name => name.endsWith('.repository.json'))
    for (const name of signed) expect(fs.readFileSync(path.join(folder, 'targets', name), 'utf8')).not.toContain('evil')
  })

  it('knows a repository by its name whatever its folder is called', async () => {
    const repository = path.join(base, 'Our Releases')
    await init({ repository, name: 'vendor' })
    expect(await init({ repository, applications: ['notes'] })).toMatchObject({
      name: 'vendor',
      applications: ['notes'],
    })
    await expect(init({ repository: path.join(base, 'Others') })).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('adds applications later, without a new root', async () => {
    const first = await init({ applications: ['notes'] })
    const second = await init({ applications: ['weave'] })
    expect(second.fingerprint).toBe(first.fingerprint)
    expect(second.applications).toEqual(['notes', 'weave'])
    expect(await applicationsSeen(first.fingerprint, ['notes', 'weave'])).toEqual([0, 0])
  })

  it('goes on where it was when it was killed before the pointers moved', async () => {
    const { fingerprint } = await init({ applications: ['notes'] })
    for (const name of ['metadata/timestamp.json', 'repository.json', 'index.html']) fs.rmSync(path.join(folder, name))
    fs.rmSync(path.join(keys, 'seen.json'))
    // Later, what is signed has another date: what is left may not be in the way.
    const again = await init({ applications: ['notes'] }, Date.now() + 60_000)
    expect(again.fingerprint).toBe(fingerprint)
    expect(await applicationsSeen(fingerprint, ['notes'])).toEqual([0])
  })

  it('is not begun again with keys that have seen a later state: whoever trusts them would take it for an attack', async () => {
    await init({ applications: ['notes'] })
    fs.rmSync(folder, { recursive: true })
    await expect(init()).rejects.toMatchObject({ code: 'TRUST_ROLLBACK' })
  })

  it('keeps keys in the user’s configuration unless told otherwise, never in the repository', async () => {
    const made = await init({ keys: undefined })
    expect(made.keys).toBe(path.join(base, '.config/cutover/keys/vendor'))
    const inside = path.join(folder, 'keys')
    await expect(init({ keys: inside })).rejects.toMatchObject({ code: 'KEY_PLACE' })
  })

  it('does not make new keys for a repository that exists', async () => {
    await init()
    const other = path.join(base, 'other-keys')
    await expect(init({ keys: other })).rejects.toMatchObject({ code: 'KEY_MISSING' })
    expect(fs.existsSync(other)).toBe(false)
  })

  it('leaves a folder alone that holds other things', async () => {
    fs.mkdirSync(folder)
    fs.writeFileSync(path.join(folder, 'thesis.txt'), 'important')
    await expect(init()).rejects.toMatchObject({ code: 'USAGE', exitCode: 2 })
    expect(fs.readdirSync(folder)).toEqual(['thesis.txt'])
  })

  it.each(['Notes', 'a', '../x', 'a b', '-notes'])('refuses the name %j', async name => {
    await expect(init({ applications: [name] })).rejects.toMatchObject({ code: 'USAGE' })
    expect(fs.existsSync(keys)).toBe(false)
  })

  it('is remembered by the clone that it is run in', async () => {
    const clone = testRepository()
    await init({ cwd: clone.folder, environment: clone.environment })
    expect(clone.git('config', '--local', 'cutover.repository').trim()).toBe(folder)
    expect(clone.git('config', '--local', 'cutover.keys').trim()).toBe(keys)
  })
})
