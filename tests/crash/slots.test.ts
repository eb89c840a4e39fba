import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRoles } from '../../src/prefix/role.ts'
import { readProgress } from '../../src/slots/progress.ts'
import { isLong } from '../support/kill-points.ts'
import { type BuiltCutover, builtCutover, type Disturbance, ended } from '../support/killed-cutover.ts'
import { siteContract } from '../support/site-contract.ts'
import { needTool } from '../support/tools.ts'
import { askAs, type Slot, startClients, startToySite, type ToySite } from '../support/toy-site.ts'

/** A step of a switch, with the slot that becomes production and the other one in their places. */
type StepOf = (there: string, other: string) => string

const steps: readonly StepOf[] = [
  () => 'close:development',
  there => `hold:${there}`,
  there => `stop:${there}`,
  () => 'route:production',
  (_, other) => `hold:${other}`,
  (_, other) => `stop:${other}`,
  () => 'assign',
  there => `share:${there}`,
  there => `start:${there}`,
  there => `probe:${there}`,
  there => `pass:${there}`,
  (_, other) => `share:${other}`,
  (_, other) => `start:${other}`,
  (_, other) => `probe:${other}`,
  (_, other) => `pass:${other}`,
  () => 'route:development',
  () => 'ask:production',
  there => `watch:${there}`,
]
/** In the ordinary suite one step, at which everybody waits and nobody serves. */
const killed = isLong ? steps : steps.filter(step => step('green', 'blue') === 'start:green')
const long = isLong ? steps : []

describe.skipIf(!needTool('haproxy'))('a switch that is disturbed', () => {
  let cutover: BuiltCutover
  let site: ToySite

  beforeAll(async () => {
    cutover = await builtCutover()
    site = await startToySite('haproxy')
    expect(await cutover.run(['slots', 'recover', site.root])).toMatchObject({ exitCode: 0 })
  }, 60_000)
  afterAll(() => site.end())

  const slots = () => readRoles(site.root) as Record<'production' | 'development', Slot>
  const nameOf = (step: StepOf) => step(slots().development, slots().production)

  /** Start a switch and do something as soon as it begins a step. Post: how it ended. */
  async function switchUntil(step: StepOf, then: (kill: () => void) => void) {
    const name = nameOf(step)
    const child = cutover.start(['switch', site.root])
    let text = ''
    let isBegun = false
    child.stdout!.on('data', piece => {
      text += piece
      if (isBegun || !text.includes(`{"kind":"step-started","step":"${name}"}`)) return
      isBegun = true
      then(() => child.kill('SIGKILL'))
    })
    const end = await ended(child)
    expect(isBegun).toBe(true)
    return end
  }

  async function expectWhole(): Promise<void> {
    expect(readProgress(site.root)).toBeUndefined()
    expect(Object.values(slots()).toSorted()).toEqual(['blue', 'green'])
    for (const role of ['production', 'development'] as const)
      expect(await askAs(role, site)).toMatchObject({ role, data: role })
  }

  it.each(killed.map(step => [step('NEW', 'OLD'), step] as const))(
    'killed at %s, is ended by the next command without a failed request',
    async (_, step) => {
      const clients = startClients(site.port, 'production', 4)
      expect(await switchUntil(step, kill => kill())).toMatchObject({ signal: 'SIGKILL' })
      expect(await cutover.run(['switch', site.root, '--resume'])).toMatchObject({ exitCode: 0 })
      await expectWhole()
      expect((await clients.stop()).failures).toEqual([])
    },
    60_000,
  )

  it.each(long.map(step => [step('NEW', 'OLD'), step] as const))(
    'failed behind %s, is undone without a failed request',
    async (_, step) => {
      const before = slots()
      const clients = startClients(site.port, 'production', 4)
      // The first operation of a step on files is to write down the step behind it.
      const fault: Disturbance = { kind: 'fail', at: { step: nameOf(step), operation: 1, what: '' }, errno: 'EIO' }
      expect(await cutover.run(['switch', site.root], fault)).toMatchObject({ code: 'FILE_IO' })
      expect(slots()).toEqual(before)
      await expectWhole()
      expect((await clients.stop()).failures).toEqual([])
    },
    60_000,
  )

  it.each(long.flatMap(step => [true, false].map(isNew => [step('NEW', 'OLD'), isNew ? 'new' : 'old', step] as const)))(
    'whose slot is killed at %s, the %s one, leads nobody to the wrong role',
    async (_, which, step) => {
      const slot = which === 'new' ? slots().development : slots().production
      const clients = startClients(site.port, 'production', 4)
      const { exitCode } = await switchUntil(step, () => site.servings[slot].child.kill('SIGKILL'))
      await site.servings[slot].end('SIGKILL')
      await site.serve(slot)
      if (exitCode !== 0) await cutover.run(['switch', site.root, '--resume'])
      expect(await cutover.run(['slots', 'recover', site.root])).toMatchObject({ exitCode: 0 })
      await expectWhole()
      const { failures } = await clients.stop()
      expect(failures.filter(failure => failure.includes('answered by'))).toEqual([])
    },
    120_000,
  )
})

describe.skipIf(!isLong || !needTool('nginx'))('a site behind nginx', () => siteContract('nginx'))
