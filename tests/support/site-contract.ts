import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { slotsStatus } from '../../src/flow/slots-status.ts'
import { resumeSwitch, switchSlots } from '../../src/flow/switch.ts'
import { readRoles } from '../../src/prefix/role.ts'
import { readProgress } from '../../src/slots/progress.ts'
import { askAs, quietTools, startClients, startToySite, type ToySite } from './toy-site.ts'

const options = (site: ToySite) => ({ site: site.root, roles: [], waitLockMs: 0, isDryRun: false })
const atFirst = { production: 'blue', development: 'green' }

/** What a switch is to be behind any server in front. */
export function siteContract(kind: 'haproxy' | 'nginx'): void {
  let site: ToySite
  beforeAll(async () => {
    site = await startToySite(kind)
  }, 60_000)
  afterAll(() => site.end())

  it('begins where its roles say', async () => {
    expect(await askAs('production', site)).toBe('503')
    expect(await resumeSwitch(options(site), quietTools)).toMatchObject({ outcome: 'switched' })
    expect(await askAs('production', site)).toMatchObject({ role: 'production', data: 'production', version: '1.0.0' })
    expect(await askAs('development', site)).toMatchObject({ role: 'development', data: 'development' })
    expect(await resumeSwitch(options(site), quietTools)).toMatchObject({ outcome: 'unchanged' })
  })

  it('refuses what has no way back, and a slot that is not ready, and changes nothing', async () => {
    const migrations = [{ name: 'grow', phase: 'short', rollback: 'forward-only', run: ['true'] }]
    await site.upgrade('green', '1.1.0', { migrations })
    await expect(switchSlots(options(site), quietTools)).rejects.toMatchObject({ code: 'SWITCH_NO_WAY_BACK' })
    await site.servings.green.client.request({ kind: 'gate', mode: 'hold', reason: 'looked at', by: 'operator' })
    await expect(switchSlots(options(site), quietTools)).rejects.toMatchObject({ code: 'SLOT_NOT_READY' })
    await site.servings.green.client.request({ kind: 'gate', mode: 'pass', reason: 'seen', by: 'operator' })
    expect(readRoles(site.root)).toEqual(atFirst)
  })

  it('goes back without a failed request when the new slot is not healthy in its new role', async () => {
    await site.upgrade('green', '1.2.0', { asProduction: 'unhealthy' })
    const clients = startClients(site.port, 'production', 8)
    await expect(switchSlots(options(site), quietTools)).rejects.toMatchObject({ code: 'SLOT_UNHEALTHY' })
    const { failures, answered } = await clients.stop()
    expect(failures).toEqual([])
    expect(answered).toBeGreaterThan(0)
    expect(readRoles(site.root)).toEqual(atFirst)
    expect(readProgress(site.root)).toBeUndefined()
    const { slots } = await slotsStatus({ site: site.root }, quietTools)
    const seen = slots.map(({ slot, role, runsAs, healthy, routes, gate }) => [
      slot,
      role,
      runsAs,
      healthy,
      routes,
      gate,
    ])
    expect(seen).toEqual([
      ['blue', 'production', 'production', true, ['production'], 'pass'],
      ['green', 'development', 'development', true, ['development'], 'pass'],
    ])
  })

  it('swaps the roles without a failed request, with migrations for the data of the new role', async () => {
    const run = ['sh', '-c', 'echo grown by "$1" >"$2/data/log"', 'sh', '${role}', '${shared}']
    await site.upgrade('green', '2.0.0', { migrations: [{ name: 'grow', phase: 'short', run }] })
    const clients = startClients(site.port, 'production', 8)
    const there = await switchSlots(options(site), quietTools)
    expect(there).toMatchObject({ outcome: 'switched', roles: { production: 'green', development: 'blue' } })
    expect(there!.heldRequests).toBeGreaterThan(0)
    expect(await askAs('development', site)).toMatchObject({ version: '1.0.0', data: 'development' })
    const { failures, versions } = await clients.stop()
    expect(failures).toEqual([])
    expect(versions.toSorted()).toEqual(['1.0.0', '2.0.0'])
    const log = path.join(site.root, 'shared', 'production-data', 'log')
    expect(fs.readFileSync(log, 'utf8')).toBe('grown by production\n')
  })

  it('goes back by the same command, and keeps its routes when the server in front is restarted', async () => {
    await switchSlots(options(site), quietTools)
    await site.front.kill()
    await site.front.start()
    expect(await askAs('production', site)).toMatchObject({ version: '1.0.0', role: 'production' })
    expect(await askAs('development', site)).toMatchObject({ version: '2.0.0', role: 'development' })
  })
}
