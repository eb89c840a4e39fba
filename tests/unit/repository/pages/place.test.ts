import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressOf, fetchCommand, placeOf, shellWord } from '../../../../src/repository/pages/place.ts'

describe('a place', () => {
  it('is a host, with what its clients must be told', () => {
    expect(placeOf({ url: 'https://x.example/' })).toMatchObject({
      kind: 'web',
      url: 'https://x.example',
      host: 'x.example',
      isBelowRoot: false,
      isPlain: false,
    })
    expect(placeOf({ url: 'http://x.example:8080/r/' })).toMatchObject({
      url: 'http://x.example:8080/r',
      host: 'x.example:8080',
      hostname: 'x.example',
      isBelowRoot: true,
      isPlain: true,
    })
    for (const url of ['http://127.0.0.1:80', 'http://localhost:8080', 'http://[::1]:8080'])
      expect(placeOf({ url })).toMatchObject({ isPlain: false })
  })

  it('is a folder', () => {
    expect(placeOf({ url: 'file:///srv/my%20releases/' })).toEqual({
      kind: 'folder',
      url: 'file:///srv/my%20releases',
      folder: '/srv/my releases',
    })
  })
})

it('fetches a file over the network or from the folder', () => {
  const web = placeOf({ url: 'https://x.example/r' })
  expect(fetchCommand(web, 'pool/a/1.0.0+b/a~b.deb', 'a~b.deb')).toBe(
    'curl -fsSL -o a~b.deb https://x.example/r/pool/a/1.0.0%2Bb/a~b.deb',
  )
  expect(addressOf(web, "pool/it's")).toBe("'https://x.example/r/pool/it'\\''s'")
  expect(fetchCommand(placeOf({ url: 'file:///srv/my%20releases' }), 'apt/key.asc', '/etc/k')).toBe(
    "cp '/srv/my releases/apt/key.asc' /etc/k",
  )
})

describe('a word of a command line', () => {
  it('is quoted only where it must be', () => {
    expect(shellWord('notes=1.0.0~rc.1-1')).toBe('notes=1.0.0~rc.1-1')
    expect(shellWord('~root')).toBe("'~root'")
    expect(shellWord('')).toBe("''")
    expect(shellWord("it's")).toBe("'it'\\''s'")
  })

  it('is the same text again to the shell', () => {
    const character = fc.constantFrom(...'aZ0 \t\n\'"`$(){}[]<>|&;*?!#~=\\%^,./-_+:@é')
    const words = fc.sample(fc.string({ unit: character, maxLength: 12 }), 200)
    const printed = execFileSync('sh', ['-c', `printf '%s\\0' ${words.map(shellWord).join(' ')}`], { encoding: 'utf8' })
    expect(printed.split('\0').slice(0, -1)).toEqual(words)
  })
})
