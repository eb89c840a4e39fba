import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureVersions } from '../../fixtures/make-repository.ts'
import { install } from '../../src/flow/install.ts'
import { rollback } from '../../src/flow/rollback.ts'
import type { PrefixPaths } from '../../src/prefix/layout.ts'
import { failing, fixtureRepository, publishToy, repeatable } from '../support/crash-releases.ts'
import { effectsWithoutIntent } from '../support/journal-order.ts'
import { isLong } from '../support/kill-points.ts'
import { type BuiltCutover, builtCutover } from '../support/killed-cutover.ts'
import { makeRepository } from '../support/made-repository.ts'
import {
  type CutCommand,
  cutsOf,
  lossOf,
  type RecordedCommand,
  recordCommand,
  withoutSyncs,
} from '../support/power-cut.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const installing = (version: string) => ({
  args: ['install', '--version', version],
  again: ({ root }: PrefixPaths) => install({ prefix: root, version }, recordedTools()),
})

const accepting =
  (...codes: string[]) =>
  (caught: { readonly code?: string }) => {
    if (!codes.includes(caught.code ?? '')) throw caught
  }

const commands: Readonly<Record<string, CutCommand>> = {
  'a first installation': { ...installing('1.0.0'), before: [] },
  'an upgrade': { ...installing('1.1.0'), before: [installing('1.0.0').args] },
  'an upgrade that is taken back': {
    ...installing('1.2.0'),
    before: [installing('1.0.0').args],
    exitCode: 1,
    again: paths => installing('1.2.0').again(paths).catch(accepting('MIGRATION_FAILED', 'RELEASE_AVOIDED')),
  },
  'a rollback': {
    args: ['rollback'],
    before: [installing('1.0.0').args, installing('1.1.0').args],
    again: ({ root }) => rollback({ prefix: root }, recordedTools()).catch(accepting('ROLLBACK_NONE')),
  },
}

describe.skipIf(!needTool('strace'))('when the power is cut', () => {
  let cutover: BuiltCutover
  let init: readonly string[]
  let images = 0

  beforeAll(async () => {
    cutover = await builtCutover()
    const repository = await makeRepository(tempFolder(), { applications: ['toy'] })
    await publishToy(repository, '1.0.0')
    await publishToy(repository, '1.1.0', { migrations: [repeatable('expand'), repeatable('short')] })
    await publishToy(repository, '1.2.0', { migrations: [failing('short')] })
    init = ['--repository', repository.url, '--application', 'toy']
  })

  afterAll(() => console.log(`power cut: ${images} disk images recovered, 0 lost`))

  describe.each(Object.entries(commands))('during %s', (_, command) => {
    let recorded: RecordedCommand

    beforeAll(async () => {
      recorded = await recordCommand(cutover, init, command)
    })

    it('nothing is lost at any point', async () => {
      for (const cut of cutsOf(recorded.disk, { points: 10, chances: 1 })) {
        expect(await lossOf(recorded, cut), cut.what).toBeUndefined()
        images += 1
      }
    })

    it('every effect has an intent that is on the disk', () => {
      expect(effectsWithoutIntent(recorded.disk)).toEqual([])
    })
  })

  it.skipIf(!isLong).each(['notes', 'weave'] as const)('nothing of %s is lost either', async fixture => {
    const [first, second = ''] = fixtureVersions(fixture)
    const repository = await fixtureRepository(tempFolder(), fixture, [first, second])
    const words = ['--repository', repository.url, '--application', repository.application]
    const recorded = await recordCommand(cutover, words, { ...installing(second), before: [installing(first).args] })
    for (const cut of cutsOf(recorded.disk, { points: 12, chances: 1, longPoints: 60 })) {
      expect(await lossOf(recorded, cut), cut.what).toBeUndefined()
      images += 1
    }
  })

  // The model would be worth nothing if it found no loss where one can be.
  it.each([
    ['the journal', /^\/journal\/journal\.ndjson$/],
    ['the prefix, where current is', /^$/],
  ])('an upgrade without a sync of %s would be found out', async (_, place) => {
    const recorded = await recordCommand(cutover, init, commands['an upgrade']!)
    const careless = { ...recorded, disk: withoutSyncs(recorded.disk, place) }
    expect(await isLossFound(careless)).toBe(true)
  })
})

async function isLossFound(recorded: RecordedCommand): Promise<boolean> {
  // From the end, for what is told last is what must not be lost.
  for (const cut of [...cutsOf(recorded.disk, { points: 10, chances: 0 })].reverse()) {
    if ((await lossOf(recorded, cut)) !== undefined) return true
  }
  return false
}
