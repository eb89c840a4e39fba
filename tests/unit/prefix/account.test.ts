import { describe, expect, it } from 'vitest'
import { accountOf } from '../../../src/prefix/account.ts'
import { parseNodeRecipe } from '../../../src/recipe/node.ts'
import { lookUpUser } from '../../../src/sys/account.ts'

const recipe = (node: { readonly user?: string; readonly group?: string }) =>
  parseNodeRecipe({ schema: 1, name: 'toy', node, environments: { production: {} } })

it('is whoever runs us where the recipe names nobody', () => {
  expect(accountOf(recipe({}))).toBeUndefined()
})

it('refuses users and groups that the machine does not have, with the command that makes them', () => {
  expect(() => accountOf(recipe({ user: 'no-such-user' }))).toThrow(
    expect.objectContaining({ code: 'ACCOUNT_UNKNOWN', hint: expect.stringContaining('adduser --system') }),
  )
  expect(() => accountOf(recipe({ user: 'root', group: 'no-such-group' }))).toThrow(
    expect.objectContaining({ code: 'ACCOUNT_UNKNOWN' }),
  )
})

describe.skipIf(process.geteuid?.() !== 0)('as root', () => {
  it('is the user with all its groups, and the group of the recipe', () => {
    const nobody = lookUpUser('nobody')!
    expect(accountOf(recipe({ user: 'nobody' }))).toEqual(nobody)
    const account = accountOf(recipe({ user: 'nobody', group: 'daemon' }))!
    expect(account.gid).not.toBe(nobody.gid)
    expect(account.groups).toEqual([account.gid, ...nobody.groups])
  })

  it('is refused to anybody else than root and that user', () => {
    const nobody = lookUpUser('nobody')!
    process.seteuid!(nobody.uid)
    try {
      expect(accountOf(recipe({ user: 'nobody' }))).toBeUndefined()
      expect(() => accountOf(recipe({ user: 'daemon' }))).toThrow(expect.objectContaining({ code: 'ACCOUNT_DENIED' }))
    } finally {
      process.seteuid!(0)
    }
  })
})
