import { expect, it } from 'vitest'
import { ReleaseError } from '../../../src/core/error.ts'
import type { Event } from '../../../src/core/event.ts'
import { done, failed, skipped } from '../../../src/core/outcome.ts'
import { runSteps, type Step } from '../../../src/core/step.ts'
import { codeOfAsync } from '../../support/codes.ts'

const step = (name: string, run: Step<string[], unknown>['run'], required = true): Step<string[], unknown> => ({
  name,
  required,
  run: state => {
    state.push(name)
    return run(state)
  },
})

function recorder() {
  const events: Event[] = []
  let nowMs = 0
  return { events, tools: { emit: (event: Event) => void events.push(event), nowMs: () => (nowMs += 5) } }
}

it('runs the steps in order and says so', async () => {
  const { events, tools } = recorder()
  const ran: string[] = []
  const report = await runSteps([step('a', () => done('two files')), step('b', async () => done())], ran, tools)
  expect(ran).toEqual(['a', 'b'])
  expect(report.outcomes.map(({ outcome }) => outcome.kind)).toEqual(['done', 'done'])
  expect(events).toEqual([
    { kind: 'step-started', step: 'a' },
    { kind: 'step-done', step: 'a', durationMs: 5, summary: 'two files' },
    { kind: 'step-started', step: 'b' },
    { kind: 'step-done', step: 'b', durationMs: 5, summary: undefined },
  ])
})

it('stops at the first failure with its own error', async () => {
  const { events, tools } = recorder()
  const ran: string[] = []
  const error = new ReleaseError('LOCKED', 'held')
  const running = runSteps([step('a', () => failed(error)), step('b', () => done())], ran, tools)
  await expect(running).rejects.toBe(error)
  expect(ran).toEqual(['a'])
  expect(events.at(-1)).toMatchObject({ kind: 'step-failed', step: 'a', error })
})

it('turns what a step throws into a failure of that step', async () => {
  const { events, tools } = recorder()
  const throwing = step('a', () => {
    throw new TypeError('defect')
  })
  expect(await codeOfAsync(runSteps([throwing], [], tools))).toBe('INTERNAL')
  expect(events.at(-1)).toMatchObject({ kind: 'step-failed', step: 'a' })
})

it('goes on after a skipped step that may be left out', async () => {
  const { events, tools } = recorder()
  const ran: string[] = []
  await runSteps(
    [step('a', () => skipped('NOTHING_TO_DO', 'there is nothing'), false), step('b', () => done())],
    ran,
    tools,
  )
  expect(ran).toEqual(['a', 'b'])
  expect(events[1]).toEqual({ kind: 'step-skipped', step: 'a', code: 'NOTHING_TO_DO', reason: 'there is nothing' })
})

it('never ends in success when a required step was skipped', async () => {
  const { tools } = recorder()
  const ran: string[] = []
  const running = runSteps(
    [step('sign', () => skipped('NO_KEY', 'no key is there')), step('b', () => done())],
    ran,
    tools,
  )
  expect(await codeOfAsync(running)).toBe('STEP_REQUIRED')
  expect(ran).toEqual(['sign'])
})
