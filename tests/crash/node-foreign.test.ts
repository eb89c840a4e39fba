import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toReleaseError } from '../../src/core/error.ts'
import { init } from '../../src/flow/init.ts'
import { install } from '../../src/flow/install.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { publishToy, repeatable } from '../support/crash-releases.ts'
import { sample } from '../support/kill-points.ts'
import { makeRepository } from '../support/made-repository.ts'
import { below, copyPrefix, currentTree, endOf } from '../support/prefix-tree.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { memoryFolder } from '../support/temp.ts'

/** Places of a prefix in which something else stands than what belongs there. */
const places = [
  ...['prefix.json', 'journal', 'journal/journal.ndjson', 'run', 'run/lock', 'run/lock.owner', 'current', 'releases'],
  ...['releases/1.0.0', 'releases/1.0.0/.cutover', 'releases/1.0.0/.cutover/manifest', 'releases/1.1.0'],
  ...['releases/1.1.0.incomplete', 'cache', 'trust', 'trust/root.json', 'trust/timestamp.json', 'trust/snapshot.json'],
  ...['trust/releases-toy.json', 'shared', 'shared/secrets.json', 'shared/data', 'shared/toy.conf', 'bin'],
]

/** What an operator may well keep on another disk, behind a link. */
const movable = new Set(['journal', 'run', 'releases', 'cache', 'trust', 'shared', 'shared/data', 'bin'])

const foreign: Readonly<Record<string, (place: string, elsewhere: string) => void>> = {
  'an empty folder': place => fs.mkdirSync(place),
  'a folder that is not empty': place => fs.mkdirSync(path.join(place, 'inner'), { recursive: true }),
  'an empty file': place => fs.writeFileSync(place, ''),
  'a file of something else': place => fs.writeFileSync(place, 'nothing of ours\n'),
  'a link that leads nowhere': place => fs.symlinkSync('nowhere', place),
  "a link to somebody else's folder": (place, elsewhere) => fs.symlinkSync(elsewhere, place),
  "a link to somebody else's file": (place, elsewhere) => fs.symlinkSync(path.join(elsewhere, 'precious'), place),
  'nothing at all': () => {},
}

describe('an upgrade that finds', () => {
  const base = memoryFolder()
  const paths = prefixPaths(path.join(base, 'prefix'))
  const kept = path.join(base, 'kept')
  let wanted: ReturnType<typeof endOf>
  let cases = 0

  const upgrade = () => install({ prefix: paths.root, version: '1.1.0' }, recordedTools())

  beforeAll(async () => {
    const repository = await makeRepository(base, { applications: ['toy'] })
    await publishToy(repository, '1.0.0')
    await publishToy(repository, '1.1.0', { migrations: [repeatable('expand')] })
    const options = { prefix: paths.root, repository: repository.url, application: 'toy', cutover: ['cutover'] }
    await init(options, recordedTools())
    await install({ prefix: paths.root, version: '1.0.0' }, recordedTools())
    await copyPrefix(paths.root, kept)
    await upgrade()
    wanted = endOf(paths)
  })

  afterAll(() => console.log(`foreign things in a prefix: ${cases} upgrades, 0 lost`))

  const all = Object.keys(foreign).flatMap(kind => places.map(name => [kind, name] as const))

  it.each(sample(all, 50))('%s in the place of %s goes on or says what is in the way', async (kind, name) => {
    const elsewhere = fs.mkdtempSync(path.join(base, 'elsewhere-'))
    fs.writeFileSync(path.join(elsewhere, 'precious'), 'precious')
    await copyPrefix(kept, paths.root)
    const place = path.join(paths.root, name)
    fs.rmSync(place, { recursive: true, force: true })
    foreign[kind]!(place, elsewhere)

    const code = await upgrade().then(
      () => undefined,
      caught => toReleaseError(caught).code,
    )
    expect(code).not.toBe('INTERNAL')
    expect(fs.readFileSync(path.join(elsewhere, 'precious'), 'utf8')).toBe('precious')
    if (!movable.has(name)) expect(fs.readdirSync(elsewhere)).toEqual(['precious'])
    if (code !== undefined) await putRight(name)
    await upgrade()
    expect(currentVersion(paths)).toBe('1.1.0')
    if (!movable.has(name)) expect(currentTree(paths)).toEqual(below(wanted.tree, 'releases/1.1.0'))
    cases += 1
  })

  /** Put back what belongs there, as whoever has read the message does. */
  async function putRight(name: string): Promise<void> {
    await copyPrefix(path.join(kept, name), path.join(paths.root, name))
  }
})
