import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { silent } from '../../../src/core/event.ts'
import { initSlots, type SlotsInitOptions } from '../../../src/flow/slots-init.ts'
import { readIdentity } from '../../../src/prefix/identity.ts'
import { prefixPaths } from '../../../src/prefix/layout.ts'
import { readRoles } from '../../../src/prefix/role.ts'
import { rolesText, sitePaths } from '../../../src/prefix/site.ts'
import { systemClock } from '../../../src/sys/clock.ts'
import { tempFolder } from '../../support/temp.ts'
import { toyPrefix } from '../../support/toy-prefix.ts'

const tools = { emit: silent, clock: systemClock, signal: new AbortController().signal }
let folder: string
let options: SlotsInitOptions

beforeEach(() => {
  folder = tempFolder()
  const slots = { blue: path.join(folder, 'blue'), green: path.join(folder, 'green') }
  for (const root of Object.values(slots)) toyPrefix(root, { mode: 'proxy' })
  options = {
    site: path.join(folder, 'www'),
    name: undefined,
    slots,
    roles: { production: 'blue', development: 'green' },
    router: { kind: 'haproxy', socket: '/run/haproxy/admin.sock', map: path.join(folder, 'routes.map') },
    front: undefined,
    waitLockMs: 0,
  }
})

it('tells each prefix which slot it is, and leads nobody anywhere yet', async () => {
  await initSlots(options, tools)
  const { slot } = readIdentity(prefixPaths(options.slots['green']!))
  expect(slot).toEqual({ site: options.site, name: 'green' })
  expect(fs.readFileSync(path.join(folder, 'routes.map'), 'utf8')).toBe('production www-none\ndevelopment www-none\n')
})

it('leaves it to switches which slot has which role, once there were any', async () => {
  await initSlots(options, tools)
  fs.writeFileSync(sitePaths(options.site).roles, rolesText({ production: 'green', development: 'blue' }))
  await initSlots(options, tools)
  expect(readRoles(options.site)).toEqual({ production: 'green', development: 'blue' })
})

it.each<[string, string, Partial<SlotsInitOptions>]>([
  ['SITE_ROUTER_MISSING', 'no server in front', { router: undefined }],
  ['SITE_INVALID', 'a role without a slot of the site', { roles: { production: 'blue', development: 'red' } }],
  ['SITE_INVALID', 'two roles of one slot', { roles: { production: 'blue', development: 'blue' } }],
  ['SITE_INVALID', 'one role', { roles: { production: 'blue' } }],
  ['PREFIX_UNKNOWN', 'a folder that is no prefix', { slots: { blue: '/nowhere/blue', green: '/nowhere/green' } }],
  ['GATE_ADDRESS_INVALID', 'a front that is no address', { front: 'nowhere' }],
])('refuses with %s %s, and makes nothing', async (code, _, change) => {
  await expect(initSlots({ ...options, ...change }, tools)).rejects.toMatchObject({ code })
  expect(fs.existsSync(options.site)).toBe(false)
})

it('refuses a prefix that is a slot of another site', async () => {
  await initSlots(options, tools)
  const other = initSlots({ ...options, site: path.join(folder, 'other') }, tools)
  await expect(other).rejects.toMatchObject({ code: 'SITE_INVALID' })
})
