import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apiHost, parseReference, parseStoredName, parseTag, renderReference } from '../../../src/registry/reference.ts'
import { codeOf } from '../../support/codes.ts'

const hex = 'ab'.repeat(32)

describe('the name of an image', () => {
  it.each([
    ['notes', 'docker.io/library/notes'],
    ['notes:1.0', 'docker.io/library/notes:1.0'],
    ['team/notes', 'docker.io/team/notes'],
    ['docker.io/notes', 'docker.io/library/notes'],
    ['index.docker.io/notes', 'docker.io/library/notes'],
    ['registry-1.docker.io/team/notes', 'docker.io/team/notes'],
    ['localhost/notes', 'localhost/notes'],
    ['localhost:5000/notes', 'localhost:5000/notes'],
    ['registry.example/a/b/c:v1', 'registry.example/a/b/c:v1'],
    ['Registry.Example:443/a', 'registry.example:443/a'],
    ['HOST/a', 'host/a'],
    ['[::1]:5000/a', '[::1]:5000/a'],
    ['127.0.0.1:5000/a__b/c-d--e.f_g', '127.0.0.1:5000/a__b/c-d--e.f_g'],
    [`registry.example/a@sha256:${hex}`, `registry.example/a@sha256:${hex}`],
    [`registry.example/a:v1@sha256:${hex}`, `registry.example/a:v1@sha256:${hex}`],
  ])('%s is %s', (text, full) => {
    expect(renderReference(parseReference(text))).toBe(full)
  })

  it.each([
    '',
    ':1',
    'a:',
    'a/',
    '/a',
    'a//b',
    'registry.example/',
    'registry.example/A',
    'registry.example/a b',
    'registry.example/../a',
    'registry.example/a/./b',
    'registry.example/a___b',
    'registry.example/-a',
    'registry.example/a:-1',
    `registry.example/a:${'x'.repeat(129)}`,
    'registry.example/a@sha256:12',
    `registry.example/a@sha512:${hex}${hex}`,
    `registry.example/a@sha256:${hex}@sha256:${hex}`,
    'registry.example:0/a',
    'registry.example:99999/a',
    'user@registry.example/a',
    'user:secret@registry.example/a',
    'https://registry.example/a',
    '-registry.example/a',
    '0x7f.1/a',
    'a.1/a',
    'registry..example/a',
    'a\nb',
    'registry.example/a?b',
    'registry.example/a#b',
    `registry.example/${'a'.repeat(256)}`,
  ])('%j is none', text => {
    expect(codeOf(() => parseReference(text))).toBe('REFERENCE_INVALID')
  })

  it('is read again as it was written', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8}){0,2}$/)
    const host = fc.stringMatching(/^[a-z0-9]{1,8}(\.[a-z0-9]{1,8})?\.[a-z]{2,8}(:[1-9][0-9]{0,3})?$/)
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'))
    const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/))
    fc.assert(
      fc.property(host, path, tag, (registry, repository, given) => {
        const text = `${registry}/${repository}${given === null ? '' : `:${given}`}`
        const reference = parseReference(text)
        expect(reference).toEqual({ registry, repository, ...(given === null ? {} : { tag: given }) })
        expect(renderReference(reference)).toBe(text)
      }),
    )
  })

  it('never lets anything through that would change an address', () => {
    const characters = [...'aA0.-_:/@%?#\\[]x~ ']
    const text = fc.string({ unit: fc.constantFrom(...characters), maxLength: 12 })
    fc.assert(
      fc.property(text, fc.boolean(), (name, hosted) => {
        const whole = hosted ? `a.b/${name}` : name
        if (codeOf(() => parseReference(whole)) !== undefined) return
        const { registry, repository, tag = 'latest' } = parseReference(whole)
        const url = new URL(`https://${apiHost(registry)}/v2/${repository}/manifests/${tag}`)
        expect(url.pathname).toBe(`/v2/${repository}/manifests/${tag}`)
        expect(url.username + url.password + url.search + url.hash).toBe('')
        expect(registry).toContain(url.hostname === 'registry-1.docker.io' ? 'docker.io' : url.hostname)
      }),
      { numRuns: 500 },
    )
  })
})

it('a tag is checked alone, too', () => {
  expect(parseTag('1.0.0-rc.1')).toBe('1.0.0-rc.1')
  expect(codeOf(() => parseTag('a/b'))).toBe('REFERENCE_INVALID')
})

it('Docker Hub answers at another host than its name', () => {
  expect(apiHost('docker.io')).toBe('registry-1.docker.io')
  expect(apiHost('registry.example:5000')).toBe('registry.example:5000')
})

it.each([
  ['https://index.docker.io/v1/', { registry: 'docker.io', repository: '' }],
  ['docker.io', { registry: 'docker.io', repository: '' }],
  ['Registry.Example', { registry: 'registry.example', repository: '' }],
  ['http://registry.example:5000/v2/', { registry: 'registry.example:5000', repository: '' }],
  ['registry.example/team/app', { registry: 'registry.example', repository: 'team/app' }],
  ['user@registry.example', undefined],
  ['', undefined],
])('an entry stored under %j is for %j', (key, name) => {
  expect(parseStoredName(key)).toEqual(name)
})
