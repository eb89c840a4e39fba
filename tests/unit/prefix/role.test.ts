import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { PrefixIdentity } from '../../../src/prefix/identity.ts'
import { prefixPaths } from '../../../src/prefix/layout.ts'
import { arrangeMounts } from '../../../src/prefix/mounts.ts'
import { roleOf } from '../../../src/prefix/role.ts'
import { parseRoles, rolesText, sitePaths } from '../../../src/prefix/site.ts'
import { environmentVariables } from '../../../src/prefix/values.ts'
import { parseNodeRecipe } from '../../../src/recipe/node.ts'
import { tempFolder } from '../../support/temp.ts'

const recipe = parseNodeRecipe({
  schema: 1,
  name: 'toy',
  node: {
    roles: {
      production: { environment: { LEVEL: 'warn', SIZE: 'large' }, mounts: { data: 'live' } },
      development: { environment: { LEVEL: 'debug', SIZE: 'small' }, mounts: { data: 'trial' } },
    },
  },
  environments: { production: { variables: { LEVEL: 'info' } }, staging: { variables: {} } },
})
const bare = parseNodeRecipe({ schema: 1, name: 'toy', node: {} })

function site(roles: Readonly<Record<string, string>>) {
  const root = tempFolder()
  fs.writeFileSync(sitePaths(root).roles, rolesText(roles))
  return root
}

it('reads the role of a slot from its site', () => {
  const root = site({ production: 'blue', development: 'green' })
  const ofSlot = (name: string) => roleOf({ environment: 'staging', slot: { site: root, name } }, recipe)
  expect([ofSlot('blue')?.name, ofSlot('green')?.name]).toEqual(['production', 'development'])
  expect(() => ofSlot('red')).toThrow(expect.objectContaining({ code: 'ROLE_UNKNOWN' }))
  fs.writeFileSync(sitePaths(root).roles, rolesText({ other: 'blue' }))
  expect(() => ofSlot('blue')).toThrow(expect.objectContaining({ code: 'ROLE_UNKNOWN' }))
  expect(roleOf({ environment: 'staging', slot: { site: root, name: 'blue' } }, bare)).toMatchObject({ name: 'other' })
})

it('gives a prefix that is no slot the role of its environment, else the first', () => {
  const named = (environment: string) => roleOf({ environment }, recipe)?.name
  expect([named('production'), named('staging')]).toEqual(['production', 'development'])
  expect(roleOf({ environment: 'production' }, bare)).toBeUndefined()
})

it('puts the variables of a role over those of the environment, and those of the prefix over both', () => {
  const slot = { site: site({ development: 'blue' }), name: 'blue' }
  expect(
    environmentVariables({ environment: 'production', variables: { SIZE: 'huge' }, slot }, recipe, '1.0.0'),
  ).toEqual({ LEVEL: 'debug', SIZE: 'huge' })
})

it('leads the folders of a slot to those of its role, and refuses to hide data', () => {
  const root = site({ production: 'blue', development: 'green' })
  const prefix = tempFolder()
  const paths = prefixPaths(prefix)
  fs.mkdirSync(paths.shared)
  const identity = { environment: 'production', slot: { site: root, name: 'blue' } }
  const arrange = () => arrangeMounts({ paths, identity, role: roleOf(identity, recipe), account: undefined })
  const link = path.join(paths.shared, 'data')
  expect([arrange(), arrange(), fs.readlinkSync(link)]).toEqual([['data'], [], path.join(root, 'shared', 'live')])
  fs.writeFileSync(sitePaths(root).roles, rolesText({ production: 'green', development: 'blue' }))
  expect([arrange(), fs.readlinkSync(link)]).toEqual([['data'], path.join(root, 'shared', 'trial')])
  fs.rmSync(link)
  fs.mkdirSync(link)
  expect(arrange()).toEqual(['data'])
  fs.rmSync(link)
  fs.mkdirSync(path.join(link, 'kept'), { recursive: true })
  expect(arrange).toThrow(expect.objectContaining({ code: 'ROLE_MOUNT_TAKEN' }))
})

it('makes plain folders in a prefix that is no slot', () => {
  const paths = prefixPaths(tempFolder())
  const identity: Pick<PrefixIdentity, 'environment' | 'slot'> = { environment: 'production' }
  expect(arrangeMounts({ paths, identity, role: roleOf(identity, recipe), account: undefined })).toEqual([])
  expect(fs.lstatSync(path.join(paths.shared, 'data')).isDirectory()).toBe(true)
})

it('reads what it wrote, and refuses everything else with a code', () => {
  expect(parseRoles(rolesText({ production: 'blue' }), 'x')).toEqual({ production: 'blue' })
  const refused = (text: string) => {
    try {
      parseRoles(text, 'x')
      return undefined
    } catch (caught) {
      return (caught as { code?: string }).code
    }
  }
  expect(refused('{"schema":2}')).toBe('DOCUMENT_NEWER')
  expect(refused(rolesText({ production: 'blue', development: 'blue' }))).toBe('DOCUMENT_INVALID')
  expect(refused(rolesText({ '../x': 'blue' }))).toBe('DOCUMENT_INVALID')
  fc.assert(fc.property(fc.json(), text => ['DOCUMENT_INVALID', undefined].includes(refused(text))))
  const whole = rolesText({ production: 'blue', development: 'green' })
  for (let length = 0; length < whole.trimEnd().length; length++)
    expect(refused(whole.slice(0, length))).toBe('DOCUMENT_INVALID')
})
