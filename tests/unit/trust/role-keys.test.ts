import { Key } from '@tufjs/models'
import { Delegations } from '@tufjs/models/dist/delegations.js'
import { DelegatedRole } from '@tufjs/models/dist/role.js'
import { expect, it } from 'vitest'
import { roleKeys } from '../../../src/trust/role-keys.ts'

const key = (keyID: string, scheme = 'ed25519') =>
  new Key({ keyID, keyType: scheme, scheme, keyVal: { public: `public of ${keyID}` } })
const role = (name: string, keyIDs: string[]) =>
  new DelegatedRole({ name, keyIDs, threshold: 1, terminating: true, paths: [] })
const delegations = new Delegations({
  keys: { a: key('a'), b: key('b'), r: key('r', 'rsassa-pss-sha256') },
  roles: { notes: role('notes', ['a', 'r', 'missing']), weave: role('weave', ['b']) },
})

it('finds the ed25519 keys of one role and no other', () => {
  expect([...roleKeys(delegations, 'notes')]).toEqual([['a', 'public of a']])
  expect(roleKeys(delegations, 'toString').size).toBe(0)
  expect(roleKeys(undefined, 'notes').size).toBe(0)
})
