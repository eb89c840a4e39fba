import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KillPoint, sample } from '../support/kill-points.ts'
import { copyRepository, type Publishers, publishersAt, servedFiles, type Work } from '../support/killed-publisher.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { assertReadable } from '../support/repository-readers.ts'
import { tempFolder } from '../support/temp.ts'

const first = '1.0.0-rc.1'
const second = '1.0.0-rc.2'
const third = '1.0.0-rc.3'
/** Published after each case: it removes what the one before it left. */
const fourth = '1.0.0-rc.4'
const rollback: Work = { command: 'promote', version: second, channel: 'edge' }
const pruning: Work = { command: 'prune', keep: 1 }
const atOnce = 3

let cases = 0
let pristine: MadeRepository
let publishers: Publishers

beforeAll(async () => {
  publishers = await publishersAt(Date.now())
  pristine = await makeRepository(tempFolder())
  for (const version of [first, second, third]) await pristine.publish({ version, python: true })
  makeRelease({ distFolder: pristine.distFolder, version: fourth, python: true })
})

afterAll(() => console.log(`${cases} operations of a promotion and a pruning were followed by a kill`))

describe.each([
  ['a promotion that rolls a channel back', rollback],
  ['a pruning', pruning],
])('%s that is killed', (_, work) => {
  it('leaves readers the state before or after, and run again ends in the state of one that nobody disturbed', async () => {
    const undisturbed = copyRepository(pristine)
    const points = await publishers.record(undisturbed, work)
    await assertReadable(undisturbed)
    const states = [pristine, undisturbed].map(statesOf)
    expect(states[0]).not.toEqual(states[1])
    await publishNext(undisturbed)
    const left = [...sample(points, 12)]
    expect(left.length).toBeGreaterThan(10)
    const lane = async () => {
      for (let point = left.shift(); point !== undefined; point = left.shift()) {
        await killAt(point, { work, states, wanted: comparable(undisturbed) })
      }
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
  })
})

interface Expectation {
  readonly work: Work
  readonly states: readonly unknown[]
  readonly wanted: unknown
}

async function killAt(point: KillPoint, { work, states, wanted }: Expectation): Promise<void> {
  const at = `killed in ${work.command} after ${point.operation}, ${point.what}`
  const repository = copyRepository(pristine)
  expect((await publishers.run(repository, work, { killAt: point })).signal, at).toBe('SIGKILL')
  expect(states, at).toContainEqual(statesOf(repository))
  await assertReadable(repository)
  const again = await publishers.run(repository, work)
  expect(again.exitCode, `${at}\n${again.stderr}`).toBe(0)
  expect(statesOf(repository), at).toEqual(states[1])
  await assertReadable(repository)
  await publishNext(repository)
  expect(comparable(repository), at).toEqual(wanted)
  fs.rmSync(path.dirname(repository.folder), { recursive: true })
  cases += 1
}

async function publishNext(repository: MadeRepository): Promise<void> {
  const { exitCode, stderr } = await publishers.run(repository, { command: 'upload', version: fourth })
  expect(exitCode, stderr).toBe(0)
}

/**
 * All files, those of signed metadata without their numbers: it has no stored plan, so what was written and never pointed to keeps its
 * number, and the next run takes the number after it.
 */
function comparable(repository: MadeRepository): unknown {
  const files = Object.entries(servedFiles(repository))
  const isMetadata = ([key]: readonly [string, string]) => key.startsWith('metadata/')
  return {
    files: files.filter(file => !isMetadata(file)),
    metadata: files
      .filter(isMetadata)
      .map(([key]) => key.replace(/\d+/, 'N'))
      .toSorted(),
  }
}

/** What the signed pointer leads to: the list of releases. */
function statesOf({ folder }: MadeRepository): unknown {
  const read = (key: string) => JSON.parse(fs.readFileSync(path.join(folder, key), 'utf8')).signed
  const snapshot = read('metadata/timestamp.json').meta['snapshot.json'].version
  const role = read(`metadata/${snapshot}.snapshot.json`).meta['application-notes.json'].version
  return read(`metadata/${role}.application-notes.json`).targets['notes/releases.json']
}
