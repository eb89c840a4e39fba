import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Event } from '../../src/core/event.ts'
import { type KillPoint, sample } from '../support/kill-points.ts'
import { copyRepository, type Publishers, publishersAt, servedFiles } from '../support/killed-publisher.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { assertReadable, readVersions } from '../support/repository-readers.ts'
import { tempFolder } from '../support/temp.ts'

const published = '1.0.0-dev.1'
const coming = '1.0.0-dev.2'
const coming2 = { command: 'upload', version: coming } as const
const dayMs = 86_400_000
/** Others run on the machine, too. */
const atOnce = 3
let cases = 0

let pristine: MadeRepository
let publishers: Publishers
let points: readonly KillPoint[]
/** What an upload that nobody disturbs leaves. */
let wanted: Readonly<Record<string, string>>

beforeAll(async () => {
  const nowMs = Date.now()
  publishers = await publishersAt(nowMs)
  pristine = await makeRepository(tempFolder())
  await pristine.publish({ version: published, python: true, evidence: true })
  makeRelease({ distFolder: pristine.distFolder, version: coming, python: true, evidence: true })
  const undisturbed = copyRepository(pristine)
  points = await publishers.record(undisturbed, coming2)
  wanted = servedFiles(undisturbed)
  await assertReadable(undisturbed)
})

afterAll(() => console.log(`${cases} of ${points.length} operations of an upload were followed by a kill`))

describe('an upload that is killed', () => {
  it('at any operation leaves readers the state before or after, and run again ends in the bytes of one that nobody disturbed', async () => {
    const isMoving = ({ step }: KillPoint) => step === 'move the pointers' || step === 'sweep'
    const chosen = [
      ...sample(
        points.filter(point => !isMoving(point)),
        16,
      ),
      ...sample(points.filter(isMoving), 8),
    ]
    expect(new Set(chosen.map(({ step }) => step)).size).toBeGreaterThan(5)
    const left = [...chosen]
    const work = async () => {
      for (let point = left.shift(); point !== undefined; point = left.shift()) await killAt(point)
    }
    await Promise.all(Array.from({ length: atOnce }, work))
    expect(cases).toBe(chosen.length)
  })

  it('more than a day before is planned anew, for its metadata would be short of its lifetime', async () => {
    const repository = copyRepository(pristine)
    await publishers.run(repository, coming2, { killAt: firstOf('move the pointers') })
    const again = await publishers.run(repository, coming2, {
      laterMs: dayMs - 60_000,
      killAt: firstOf('keep others out'),
    })
    expect(again.signal).toBe('SIGKILL')
    expect(planOf(again.events)).toContain('going on')
    const late = await publishers.run(repository, coming2, { laterMs: dayMs + 60_000 })
    expect(late.exitCode).toBe(0)
    expect(planOf(late.events)).not.toContain('going on')
    expect(await readVersions(repository)).toEqual([published, coming])
    await assertReadable(repository)
  })

  it('gives way to another publisher at once, and is then planned anew', async () => {
    const repository = copyRepository(pristine)
    const { signal } = await publishers.run(repository, coming2, { killAt: firstOf('move the pointers') })
    expect(signal).toBe('SIGKILL')
    makeRelease({ distFolder: repository.distFolder, version: '1.0.0-dev.3' })
    // It held the lease.
    const other = await publishers.run(repository, { command: 'upload', version: '1.0.0-dev.3' }, { waitMs: 0 })
    expect(other.stderr).toBe('')
    expect(await readVersions(repository)).toEqual([published, '1.0.0-dev.3'])
    const again = await publishers.run(repository, coming2)
    expect(again.stderr).toBe('')
    expect(await readVersions(repository)).toEqual([published, coming, '1.0.0-dev.3'])
    await assertReadable(repository)
  })
})

async function killAt(point: KillPoint): Promise<void> {
  const at = `killed in ${point.step} after ${point.operation}, ${point.what}`
  const repository = copyRepository(pristine)
  expect((await publishers.run(repository, coming2, { killAt: point })).signal, at).toBe('SIGKILL')
  expect([[published], [published, coming]], at).toContainEqual(await readVersions(repository))
  await assertReadable(repository)
  const again = await publishers.run(repository, coming2)
  expect(again.exitCode, `${at}\n${again.stderr}`).toBe(0)
  expect(servedFiles(repository), at).toEqual(wanted)
  fs.rmSync(path.dirname(repository.folder), { recursive: true })
  cases += 1
}

function firstOf(step: string): KillPoint {
  const found = points.find(point => point.step === step)
  if (found === undefined) throw new Error(`an upload has no operation in ${step}`)
  return found
}

function planOf(events: readonly Event[]): string {
  const planned = events.find(event => event.kind === 'step-done' && event.step === 'plan')
  return JSON.stringify(planned)
}
