import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { assetName } from '../../../../src/core/github.ts'
import type { ReleaseRecord } from '../../../../src/payload/release-record.ts'
import { planAssets } from '../../../../src/repository/outlets/github/assets.ts'
import { isTrusted } from '../../../../src/repository/outlets/github/fetch.ts'
import { renderNotes, withWarning } from '../../../../src/repository/outlets/github/render-notes.ts'
import { readGithubSettings } from '../../../../src/repository/outlets/github/settings.ts'
import { patienceOf } from '../../../../src/repository/outlets/github/wait.ts'
import { codeOf } from '../../../support/codes.ts'
import { newest } from '../../../support/outlet-tools.ts'

describe('names of assets', () => {
  it.each([
    ['notes_1.0.0~rc.1-1_amd64.deb', 'notes_1.0.0.rc.1-1_amd64.deb'],
    ['notes-1.0.0+build.5.tar.zst', 'notes-1.0.0+build.5.tar.zst'],
    ['2:1.0 (a)', '2.1.0.a'],
    ['.hidden.', 'hidden'],
    ['a.~.b', 'a.b'],
    ['żółw.txt', 'w.txt'],
  ])('%s is %s', (label, name) => {
    expect(assetName(label)).toBe(name)
  })

  it('are left alone by GitHub, which renames what has other signs', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'aZ09_+-..~: /\\%żł\n\0') }), label => {
        const name = assetName(label)
        expect(name).toMatch(/^[A-Za-z0-9_+.-]*$/)
        expect(assetName(name)).toBe(name)
        expect(name).not.toMatch(/^\.|\.$/)
      }),
    )
  })
})

describe('what cannot be a release', () => {
  const files = (list: readonly { readonly name: string; readonly sizeBytes: number }[]) => {
    const artifacts = list.map(file => ({ kind: 'source', digest: digestOf('x'), mediaType: 'text/plain', ...file }))
    const record = { name: 'notes', version: '1.0.0', components: [{ name: 'notes', artifacts }] }
    const recordBytes = Buffer.from('{}')
    return planAssets({ record: record as unknown as ReleaseRecord, standing: newest, folder: '/dist', recordBytes })
  }

  it.each([
    ['more than a thousand files', Array.from({ length: 1000 }, (_, at) => ({ name: `a${at}`, sizeBytes: 1 }))],
    [
      'two files of one name there',
      [
        { name: 'a~b', sizeBytes: 1 },
        { name: 'a.b', sizeBytes: 1 },
      ],
    ],
    [
      'names that differ in case',
      [
        { name: 'README', sizeBytes: 1 },
        { name: 'readme', sizeBytes: 1 },
      ],
    ],
    ['a name of which nothing is left', [{ name: '~', sizeBytes: 1 }]],
    ['a file of 2 GiB', [{ name: 'a', sizeBytes: 2 ** 31 }]],
    ['an empty file', [{ name: 'a', sizeBytes: 0 }]],
  ])('%s', (_, list) => {
    expect(codeOf(() => files(list))).toBe('GITHUB_ASSETS')
  })

  it('but 999 files and the record are one', () => {
    expect(files(Array.from({ length: 999 }, (_, at) => ({ name: `a${at}`, sizeBytes: 2 ** 31 - 1 })))).toHaveLength(
      1000,
    )
  })
})

describe('how long to wait', () => {
  const nowMs = 1_000_000
  const patience = (status: number, headers: Record<string, string> = {}, isAboutLimits = false) =>
    patienceOf({ status, header: name => headers[name], isAboutLimits }, nowMs)

  it.each([
    [500, {}, false, undefined],
    [503, { 'retry-after': '3' }, false, 3000],
    [429, {}, false, 60_000],
    [403, {}, true, 60_000],
    [403, { 'retry-after': '3' }, false, 3000],
    [403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1010' }, false, 11_000],
    [429, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '10' }, false, 1000],
    [429, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': 'soon' }, false, 60_000],
  ] as const)('%i with %j (%s) passes', (status, headers, isAboutLimits, waitMs) => {
    expect(patience(status, headers, isAboutLimits)).toEqual({ kind: 'passing', waitMs })
  })

  it.each([
    [403, {}],
    [403, { 'x-ratelimit-remaining': '12', 'x-ratelimit-reset': '1010' }],
    [401, { 'retry-after': '3' }],
    [404, {}],
    [422, {}],
  ])('%i with %j stays', (status, headers) => {
    expect(patience(status, headers)).toEqual({ kind: 'final' })
  })
})

it.each([
  ['https://api.github.com', 'https://api.github.com/repos', true],
  ['https://api.github.com', 'https://uploads.github.com/repos', true],
  ['https://api.acme.ghe.com', 'https://uploads.acme.ghe.com/repos', true],
  ['https://github.example.org/api/v3', 'https://github.example.org/api/uploads', true],
  ['https://api.github.com', 'http://api.github.com/repos', false],
  ['https://api.github.com', 'http://uploads.github.com/repos', false],
  ['https://api.github.com', 'https://uploads.github.com:8443/repos', false],
  ['https://api.github.com', 'https://uploads.github.com.evil.example/', false],
  ['https://api.github.com', 'https://xapi.github.com/', false],
  ['https://github.example.org', 'https://uploads.github.example.org/', false],
  ['https://api.github.com', 'https://a@api.github.com/', false],
])('with the API at %s the token for %s: %s', (api, url, expected) => {
  expect(isTrusted(new URL(url), new URL(api))).toBe(expected)
})

describe('notes', () => {
  const record = { name: 'notes', version: '1.0.0', changes: '- new\n' } as ReleaseRecord
  const digest = digestOf('record')

  it('get a warning and lose it again, whatever else was written', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (text, reason) => {
        const notes = renderNotes({ ...record, changes: text }, digest, undefined)
        const warned = withWarning(notes, { reason })
        expect(warned).toContain('withdrawn')
        expect(withWarning(warned, { reason })).toBe(warned)
        expect(withWarning(warned, undefined)).toBe(notes)
      }),
    )
  })

  it('are cut where GitHub takes no more, the mark kept', () => {
    const notes = renderNotes({ ...record, changes: '- a line\n'.repeat(20_000) }, digest, { reason: 'x'.repeat(9000) })
    expect(notes.length).toBeLessThanOrEqual(125_000)
    expect(notes).toContain('see the changelog')
    expect(notes.trimEnd().endsWith(`<!-- cutover:release notes 1.0.0 ${digest} -->`)).toBe(true)
  })
})

describe('the address of the API', () => {
  const settings = (url: string) => readGithubSettings({ GITHUB_TOKEN: 't0ken', GITHUB_API_URL: url }, '/')

  it.each(['https://github.example.org/api/v3', 'http://127.0.0.1:4000', 'http://localhost/', 'http://[::1]:1/'])(
    'may be %s',
    url => expect(settings(url).apiUrl.href).toBe(new URL(url).href),
  )

  it.each(['http://github.example.org/', 'http://127.0.0.1.example.org/', 'https://u:p@a.example/', 'ftp://a/', 'x'])(
    'is not %s, where the token would be seen',
    url => expect(codeOf(() => settings(url))).toBe('OUTLET_INVALID'),
  )
})
