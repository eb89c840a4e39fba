import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

describe('a release that is uploaded', () => {
  const base = tempFolder()
  let repository: MadeRepository

  beforeAll(async () => {
    repository = await makeRepository(base)
    await repository.publish({ version: '1.1.3-dev.1', python: true })
  })

  it('is read by an installer through its signatures', async () => {
    const folder = path.join(base, 'trust')
    await pinRoot({ folder, repositoryUrl: repository.url, fingerprint: repository.fingerprint })
    const client = openRepository({ folder, repositoryUrl: repository.url })
    const index = await client.index('notes')
    expect(index.releases.map(release => release.version)).toEqual(['1.1.3-dev.1'])
    const { record, digest } = await client.record('notes', '1.1.3-dev.1')
    expect(record.name).toBe('notes')
    expect(digest).toMatch(/^sha256:/)
  })

  it('is found unchanged by a second upload', async () => {
    const tools = recordedTools()
    const before = fs.readFileSync(path.join(repository.folder, 'metadata', 'timestamp.json'))
    const result = await repository.upload('1.1.3-dev.1', tools)
    expect(result).toMatchObject({ written: 0, linked: 0 })
    expect(tools.events.at(-1)).toMatchObject({ kind: 'run-done', changed: false })
    expect(fs.readFileSync(path.join(repository.folder, 'metadata', 'timestamp.json'))).toEqual(before)
  })

  it('is never replaced by other bytes of the same version', async () => {
    makeRelease({ distFolder: repository.distFolder, version: '1.1.3-dev.1', content: 'something else' })
    await expect(repository.upload('1.1.3-dev.1')).rejects.toMatchObject({ code: 'REPOSITORY_CONFLICT' })
  })
})
