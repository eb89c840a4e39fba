import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Event } from '../../src/core/event.ts'
import { upload } from '../../src/flow/upload.ts'
import { isLong } from '../support/kill-points.ts'
import { copyRepository, type Publishers, publishersAt, servedFiles } from '../support/killed-publisher.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { type RecordedTools, recordedTools } from '../support/recorded-tools.ts'
import { assertReadable, readUntil, readVersions } from '../support/repository-readers.ts'
import { tempFolder } from '../support/temp.ts'

const applications = ['notes', 'weave'] as const
type Application = (typeof applications)[number]

let pristine: MadeRepository
let repository: MadeRepository
let publishers: Publishers

beforeAll(async () => {
  publishers = await publishersAt(Date.now())
  pristine = await makeRepository(tempFolder(), { applications })
  for (const name of applications) {
    makeRelease({ distFolder: distOf(pristine, name), name, version: '1.0.0-rc.1', python: true })
    await publishHere(pristine, name, '1.0.0-rc.1')
  }
})

beforeEach(() => {
  repository = copyRepository(pristine)
})

describe('two publishers at once', () => {
  it.each([
    ['different applications', 'weave', '1.0.0-rc.2'],
    ['different versions of one', 'notes', '1.0.0-rc.3'],
  ] as const)(
    'of %s: one is told that the repository changed, plans again, and nothing is lost',
    async (_, other, version) => {
      cut(repository, 'notes', '1.0.0-rc.2')
      cut(repository, other, version)
      const { events } = await publishHere(repository, 'notes', '1.0.0-rc.2', () => {
        publishMeanwhile(repository, other, version)
      })
      expect(events.filter(isOvertaken)).toHaveLength(1)
      const versions = other === 'notes' ? ['1.0.0-rc.1', '1.0.0-rc.2', version] : ['1.0.0-rc.1', '1.0.0-rc.2']
      expect(await readVersions(repository, 'notes')).toEqual(versions)
      expect(await readVersions(repository, other)).toContain(version)
      await assertReadable(repository, applications)
    },
  )

  it('of one version with different bytes: one is published, the other is a conflict', async () => {
    const other = distOf(repository, 'weave')
    makeRelease({ distFolder: distOf(repository, 'notes'), version: '1.0.0-rc.2', content: 'ours' })
    makeRelease({ distFolder: other, version: '1.0.0-rc.2', content: 'theirs' })
    const published = () => servedFiles(repository)
    let between: ReturnType<typeof published> = {}
    const publishing = publishHere(repository, 'notes', '1.0.0-rc.2', () => {
      // From the other folder, the same application.
      publishMeanwhile(repository, 'weave', '1.0.0-rc.2')
      between = published()
    })
    await expect(publishing).rejects.toMatchObject({ code: 'REPOSITORY_CONFLICT' })
    expect(await readVersions(repository, 'notes')).toEqual(['1.0.0-rc.1', '1.0.0-rc.2'])
    expect(published()).toEqual(between)
    await assertReadable(repository, applications)
  })
})

describe('several publishers in a loop', () => {
  it('lose nothing, and whoever reads meanwhile finds the state before or after', async () => {
    const count = isLong ? 12 : 3
    const lanes = [0, 1, 2].map(lane => ({
      name: applications[lane % 2]!,
      versions: Array.from({ length: count }, (_, at) => `1.${lane + 1}.0-rc.${at + 1}`),
    }))
    for (const { name, versions } of lanes) for (const version of versions) cut(repository, name, version)
    const ends = Promise.all(lanes.map(({ name, versions }) => publishAll(name, versions)))
    const rounds = await readUntil(ends, repository, applications)
    const events = (await ends).flat()
    expect(rounds).toBeGreaterThan(2)
    expect(events.filter(isOvertaken).length).toBeGreaterThan(0)
    for (const name of applications) {
      const expected = lanes.filter(lane => lane.name === name).flatMap(({ versions }) => versions)
      expect(await readVersions(repository, name)).toEqual(['1.0.0-rc.1', ...expected])
    }
    await assertReadable(repository, applications)
  })
})

async function publishAll(name: Application, versions: readonly string[]): Promise<readonly Event[]> {
  const events: Event[] = []
  for (const version of versions) {
    const place = { ...repository, distFolder: distOf(repository, name) }
    const end = await publishers.run(place, { command: 'upload', version })
    expect(end.exitCode, end.stderr).toBe(0)
    events.push(...end.events)
  }
  return events
}

function distOf({ distFolder }: MadeRepository, name: Application): string {
  return path.join(distFolder, name)
}

function cut(place: MadeRepository, name: Application, version: string): void {
  makeRelease({ distFolder: distOf(place, name), name, version, python: true })
}

/** Upload in this process; `meanwhile` is called when everything is planned and nothing is written yet. */
async function publishHere(
  place: MadeRepository,
  name: Application,
  version: string,
  meanwhile: () => void = () => {},
): Promise<RecordedTools> {
  const tools = recordedTools()
  let left = 1
  const emit = (event: Event) => {
    tools.emit(event)
    if (event.kind === 'step-started' && event.step === 'publish blobs' && left-- > 0) meanwhile()
  }
  await upload({ ...optionsOf(place, name), version }, { ...tools, emit })
  return tools
}

/** Upload to the end in another process, before this one goes on. */
function publishMeanwhile(place: MadeRepository, name: Application, version: string): void {
  const options = { ...optionsOf(place, name), version }
  const order = JSON.stringify({ command: 'upload', options, nowMs: Date.now() })
  const victim = path.join(import.meta.dirname, '..', 'support', 'publisher-victim.ts')
  const { status, stderr } = spawnSync(process.execPath, [victim, order], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
}

function optionsOf(place: MadeRepository, name: Application) {
  const { folder, keys } = place
  const environment = { PATH: process.env['PATH'] }
  const common = { cwd: path.dirname(folder), environment, repository: folder, keys }
  return { ...common, distFolder: distOf(place, name), remote: 'origin', planOnly: false }
}

const isOvertaken = (event: Event) => event.kind === 'note' && event.message.startsWith('somebody else published')
