import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { filesOf } from '../../src/repository/dist.ts'
import { loadPlan } from '../../src/repository/plan-folder.ts'
import { openDirectory } from '../../src/repository/targets/directory.ts'
import { tryExecute } from '../../src/sys/exec.ts'
import { openRepository, pinRoot } from '../../src/trust/client.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const published = '1.0.0-dev.1'
const coming = '1.0.0-dev.2'
const victim = path.join(import.meta.dirname, 'upload-victim.ts')

const base = tempFolder()
let repository: MadeRepository
let pristine: string
let eventCount: number

beforeAll(async () => {
  repository = await makeRepository(base)
  await repository.publish({ version: published, evidence: true })
  makeRelease({ distFolder: repository.distFolder, version: coming, python: true, evidence: true })
  pristine = path.join(base, 'pristine')
  fs.cpSync(repository.folder, pristine, { recursive: true })
  const tools = recordedTools()
  await repository.upload(coming, tools)
  eventCount = tools.events.length
  expect(eventCount).toBeGreaterThan(40)
})

/** Put everything back to where only the first release is published and the second is cut. */
function reset(): void {
  fs.rmSync(repository.folder, { recursive: true })
  fs.cpSync(pristine, repository.folder, { recursive: true })
  fs.rmSync(path.join(repository.distFolder, coming, 'upload'), { recursive: true, force: true })
}

/** Upload in a process that is killed at the n-th event. */
async function killedUpload(killAt: number): Promise<void> {
  const options = {
    cwd: base,
    environment: { PATH: process.env['PATH'] },
    repository: repository.folder,
    keys: repository.keys,
    version: coming,
    distFolder: repository.distFolder,
    remote: 'origin',
    planOnly: false,
  }
  const order = JSON.stringify({ options, killAt })
  await expect(tryExecute([process.execPath, victim, order])).rejects.toMatchObject({
    code: 'EXEC_FAILED',
    details: { signal: 'SIGKILL' },
  })
}

/** Read the repository as a new installer does. Whatever it lists is complete. */
async function readVersions(): Promise<readonly string[]> {
  const folder = fs.mkdtempSync(path.join(base, 'trust-'))
  const repositoryUrl = pathToFileURL(repository.folder).href
  await pinRoot({ folder, repositoryUrl, fingerprint: repository.fingerprint })
  const client = openRepository({ folder, repositoryUrl })
  const { releases } = await client.index('notes')
  const target = openDirectory(repository.folder)
  for (const { version } of releases) {
    const { record } = await client.record('notes', version)
    for (const file of filesOf(record)) expect((await target.head(file.key))?.digest).toBe(file.digest)
  }
  fs.rmSync(folder, { recursive: true })
  return releases.map(release => release.version)
}

/** The indexes that the signed Release names are there, whichever of the two states it is of. */
function assertAptConsistent(): void {
  const folder = path.join(repository.folder, 'dists/edge')
  const release = fs.readFileSync(path.join(folder, 'InRelease'), 'utf8')
  const listed = [...release.matchAll(/^ ([0-9a-f]{64}) \d+ (\S+)\/Packages\.gz$/gm)]
  expect(listed.length).toBeGreaterThan(0)
  for (const [, hex, component] of listed) {
    const bytes = fs.readFileSync(path.join(folder, component!, 'by-hash/SHA256', hex!))
    expect(digestOf(bytes)).toBe(`sha256:${hex}`)
  }
}

describe('an upload that is killed', () => {
  it('at any event leaves readers the state before or after, and the next one ends in the bytes it began with', async () => {
    for (let killAt = 1; killAt < eventCount; killAt += 1) {
      reset()
      await killedUpload(killAt)
      const versions = await readVersions()
      expect([[published], [published, coming]]).toContainEqual(versions)
      assertAptConsistent()

      const recordDigest = digestOf(fs.readFileSync(path.join(repository.distFolder, coming, 'release.json')))
      const plan = loadPlan(path.join(repository.distFolder, coming), recordDigest)
      await repository.upload(coming)
      expect(await readVersions()).toEqual([published, coming])
      assertAptConsistent()
      const target = openDirectory(repository.folder)
      for (const op of plan?.phases.flatMap(({ ops }) => ops) ?? []) {
        expect((await target.head(op.key))?.digest, `${op.key} after a kill at event ${killAt}`).toBe(op.digest)
      }
    }
  })

  it('gives way to another publisher, and is then planned anew', async () => {
    reset()
    await killedUpload(Math.floor(eventCount * 0.8))
    await repository.publish({ version: '1.0.0-dev.3' })
    expect(await readVersions()).toEqual([published, '1.0.0-dev.3'])
    await repository.upload(coming)
    expect(await readVersions()).toEqual([published, coming, '1.0.0-dev.3'])
  })
})
