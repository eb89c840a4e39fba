import { describe, expect, it } from 'vitest'
import { namePattern } from '../../../src/core/name.ts'
import { isChannelName } from '../../../src/trust/release-index.ts'

describe('a name', () => {
  it.each(['notes', 'weave-server', 'g++', '7z'])('can be %s', name => {
    expect(namePattern.test(name)).toBe(true)
  })

  it.each(['x', '-x', 'Notes', 'a b', '../x', 'a'.repeat(64)])('cannot be %j', name => {
    expect(namePattern.test(name)).toBe(false)
  })

  it('is never one that every object has: a list by name would seem to have it', () => {
    const inherited = Object.getOwnPropertyNames(Object.prototype)
    expect(inherited).toContain('constructor')
    expect(inherited.filter(name => namePattern.test(name) || isChannelName(name))).toEqual([])
  })
})
