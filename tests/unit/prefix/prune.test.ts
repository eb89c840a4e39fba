import fs from 'node:fs'
import { expect, it } from 'vitest'
import { openJournal } from '../../../src/prefix/journal.ts'
import { prefixPaths, releasePaths } from '../../../src/prefix/layout.ts'
import { planPrune, prune, removedFolders, sweepRemoved } from '../../../src/prefix/prune.ts'
import { tempFolder } from '../../support/temp.ts'
import { committed, history } from './journal-story.ts'

const clock = { nowMs: () => 0, elapsedMs: () => 0 }

it('removes the oldest beyond what is kept, never what is active or was before', () => {
  const state = history(committed('1.0.0'), committed('1.1.0', '1.0.0'), committed('1.2.0', '1.1.0'))
  expect(planPrune(state, { keep: 5 })).toEqual([])
  expect(planPrune(state, { keep: 2 })).toEqual(['1.0.0'])
  expect(planPrune(state, { keep: 0 })).toEqual(['1.0.0'])
  expect(planPrune(state, { keep: 0, inUse: new Set(['1.0.0']) })).toEqual([])
  const back = history(committed('1.0.0'), committed('1.1.0', '1.0.0'), committed('1.2.0', '1.1.0'), [
    ...committed('1.1.0', '1.2.0', 'rollback'),
  ])
  expect(planPrune(back, { keep: 1 })).toEqual(['1.2.0'])
})

it('removes what failed, and nothing while a change is unfinished', () => {
  const abort = { kind: 'abort', version: '1.1.0', code: 'INSTALL_UNHEALTHY', reason: '' } as const
  const failed = history(committed('1.0.0'), [...committed('1.1.0', '1.0.0').slice(0, 5), abort])
  expect(planPrune(failed, { keep: 5 })).toEqual(['1.1.0'])
  expect(planPrune(history(committed('1.0.0'), committed('1.1.0', '1.0.0').slice(0, 5)), { keep: 0 })).toEqual([])
})

it('removes with the next call what a killed one left', () => {
  const paths = prefixPaths(tempFolder())
  using journal = openJournal(paths.journal, clock)
  for (const entry of committed('1.0.0')) journal.append(1, entry)
  for (const entry of committed('1.1.0', '1.0.0')) journal.append(2, entry)
  journal.append(2, { kind: 'prune', versions: ['1.0.0'] })
  const { root } = releasePaths(paths, '1.0.0')
  fs.mkdirSync(root, { recursive: true })
  expect(prune(paths, journal, { keep: 5 })).toEqual([])
  expect(fs.existsSync(root)).toBe(false)
  expect(removedFolders(paths)).toHaveLength(1)
  sweepRemoved(paths)
  expect(fs.readdirSync(paths.releases)).toEqual([])
})
