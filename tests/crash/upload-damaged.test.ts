import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Digest } from '../../src/core/digest.ts'
import { publishChange } from '../../src/flow/publish-change.ts'
import { openPublisher } from '../../src/flow/publisher.ts'
import { noChange } from '../../src/repository/change.ts'
import { copyRepository, servedFiles } from '../support/killed-publisher.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const coming = '1.0.0-rc.3'

let pristine: MadeRepository
let repository: MadeRepository

beforeAll(async () => {
  pristine = await makeRepository(tempFolder())
  await pristine.publish({ version: '1.0.0-rc.1' })
  await pristine.publish({ version: '1.0.0-rc.2' })
  makeRelease({ distFolder: pristine.distFolder, version: coming })
})

beforeEach(() => {
  repository = copyRepository(pristine)
})

describe('an upload to a repository that is not what was published', () => {
  it('refuses one that was put back to an earlier state: it would be signed anew', async () => {
    const before = tempFolder()
    fs.cpSync(repository.folder, before, { recursive: true })
    await repository.upload(coming)
    fs.rmSync(repository.folder, { recursive: true })
    fs.cpSync(before, repository.folder, { recursive: true })
    await refused('TRUST_ROLLBACK')
  })

  it.each([
    ['the list of releases', /^targets\/notes\/[0-9a-f]+\.releases\.json$/],
    ['the ledger', /^metadata\/\d+\.ledger\.json$/],
    ['a role', /^metadata\/\d+\.application-notes\.json$/],
    ['an index of apt', /\/by-hash\//],
  ])('refuses one that lost %s', async (_, pattern) => {
    for (const key of keys().filter(each => pattern.test(each))) fs.rmSync(path.join(repository.folder, key))
    await refused('REPOSITORY_DAMAGED')
  })

  it('does not move the pointers when what was written reads back as something else', async () => {
    const tools = recordedTools()
    const publisher = await openPublisher(
      { cwd: repository.folder, environment: {}, repository: repository.folder, keys: repository.keys },
      undefined,
    )
    const { target } = publisher
    const isIndex = (key: string) => key.includes('/by-hash/')
    const broken: typeof target = {
      ...target,
      head: async key =>
        isIndex(key) ? { sizeBytes: 0, digest: `sha256:${'0'.repeat(64)}` as Digest } : target.head(key),
      read: (key, signal) => (isIndex(key) ? empty() : target.read(key, signal)),
      // What a store that keeps nothing says of itself.
      putNew: async (key, content) => (isIndex(key) ? 'written' : target.putNew(key, content)),
    }
    const before = pointers()
    const resigned = publishChange(
      {
        publisher: { ...publisher, target: broken },
        command: 'test',
        edit: async () => ({ ...noChange, rebuild: true }),
      },
      tools,
    )
    await expect(resigned).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' })
    expect(pointers()).toEqual(before)
  })
})

async function refused(code: string): Promise<void> {
  const before = servedFiles(repository)
  await expect(repository.upload(coming)).rejects.toMatchObject({ code })
  expect(servedFiles(repository)).toEqual(before)
}

const keys = () => Object.keys(servedFiles(repository))

/** The files without a number or a hash in their names. */
function pointers(): Readonly<Record<string, string>> {
  const files = Object.entries(servedFiles(repository))
  return Object.fromEntries(files.filter(([key]) => !/\/by-hash\/|^(pool|oci|targets)\/|metadata\/\d/.test(key)))
}

async function* empty(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(0)
}
