import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseEntry, chooseHelper, parseCredentialsFile } from '../../../src/registry/parse-credentials.ts'

const auth = (user: string, password: string) => ({ auth: Buffer.from(`${user}:${password}`).toString('base64') })
const name = (registry: string, repository = 'team/app') => ({ registry, repository })

describe('a credentials file', () => {
  it('has passwords, identity tokens, and entries that only say that something is elsewhere', () => {
    const file = parseCredentialsFile({
      auths: {
        'a.example': auth('u', 'p:q'),
        'b.example': { identitytoken: 'long', ...auth('u', 'p') },
        'c.example': {},
        'd.example': { username: 'u', password: 'p' },
        'e.example': { auth: '', email: 'x' },
      },
      credHelpers: { 'f.example': 'pass', 'g.example': '' },
      credsStore: 'desktop',
      HttpHeaders: { 'X-A': 'b' },
    })
    expect(file).toEqual({
      entries: {
        'a.example': { kind: 'password', user: 'u', password: 'p:q' },
        'b.example': { kind: 'identity', token: 'long' },
        'd.example': { kind: 'password', user: 'u', password: 'p' },
      },
      helpers: { 'f.example': 'pass' },
      store: 'desktop',
    })
  })

  it('that is not one is refused', () => {
    const broken = [[], 'x', null, { auths: [] }, { auths: { a: 'x' } }, { auths: { a: { auth: 'bm9jb2xvbg==' } } }]
    for (const document of broken) expect(() => parseCredentialsFile(document)).toThrow()
  })

  it('may be empty', () => {
    expect(parseCredentialsFile({})).toEqual({ entries: {}, helpers: {}, store: undefined })
  })
})

describe('the entry that is chosen', () => {
  const file = parseCredentialsFile({
    auths: {
      'a.example': auth('host', 'p'),
      'a.example/team': auth('team', 'p'),
      'a.example/team/app': auth('app', 'p'),
      'a.example:5000': auth('port', 'p'),
      'https://index.docker.io/v1/': auth('hub', 'p'),
    },
  })
  const userOf = (registry: string, repository?: string) => {
    const entry = chooseEntry(file, name(registry, repository))
    return entry?.kind === 'password' ? entry.user : undefined
  }

  it.each([
    ['a.example', 'team/app', 'app'],
    ['a.example', 'team/app/part', 'app'],
    ['a.example', 'team/other', 'team'],
    ['a.example', 'teams/app', 'host'],
    ['a.example', 'team', 'team'],
    ['a.example', 'other', 'host'],
    ['a.example:5000', 'team/app', 'port'],
    ['a.example:5001', 'team/app', undefined],
    ['xa.example', 'team/app', undefined],
    ['a.example.evil', 'team/app', undefined],
    ['example', 'team/app', undefined],
    ['docker.io', 'library/notes', 'hub'],
  ])('for %s/%s is that of %s', (registry, repository, user) => {
    expect(userOf(registry, repository)).toBe(user)
  })

  it('is never one of another host, whatever the keys are', () => {
    const host = fc.stringMatching(/^[a-c]{1,3}(\.[a-c]{1,3}){1,2}(:[1-3]{1,4})?$/)
    const path = fc.stringMatching(/^([a-c]{1,2}(\/[a-c]{1,2}){0,2})?$/)
    const key = fc
      .tuple(host, path)
      .map(([registry, repository]) => (repository === '' ? registry : `${registry}/${repository}`))
    fc.assert(
      fc.property(fc.array(key, { maxLength: 6 }), host, path, (keys, registry, repository) => {
        const auths = Object.fromEntries(keys.map(each => [each, auth(each, 'p')]))
        const chosen = chooseEntry(parseCredentialsFile({ auths }), { registry, repository })
        const fitting = keys.filter(each => each === registry || `${registry}/${repository}/`.startsWith(`${each}/`))
        const longest = fitting.toSorted((a, b) => b.length - a.length)[0]
        expect(chosen?.kind === 'password' ? chosen.user : undefined).toBe(longest)
      }),
    )
  })
})

describe('the helper that is asked', () => {
  const file = parseCredentialsFile({
    credHelpers: { 'a.example': 'own', 'index.docker.io': 'hub', 'a.example/team': 'unread' },
    credsStore: 'all',
  })

  it('is that of the registry, else the store', () => {
    expect(chooseHelper(file, name('a.example'))).toBe('own')
    expect(chooseHelper(file, name('docker.io'))).toBe('hub')
    expect(chooseHelper(file, name('b.example'))).toBe('all')
    expect(chooseHelper(parseCredentialsFile({}), name('a.example'))).toBeUndefined()
  })
})
