import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../../src/core/digest.ts'
import { distributionVersion } from '../../../../src/repository/python/files.ts'
import { renderProjectList, renderProjects } from '../../../../src/repository/python/simple.ts'
import type { ListedPython, ListedRelease, ReleaseIndex } from '../../../../src/trust/layout.ts'
import { listed } from '../../../support/made-index.ts'
import { ledgerOf, summarised } from '../../../support/made-site.ts'

const file = (name: string, changes: Partial<ListedPython> = {}): ListedPython => ({
  name,
  project: 'Notes_Client',
  sizeBytes: 7,
  digest: digestOf(name),
  ...changes,
})
const wheel = (version: string) => file(`notes_client-${version}-py3-none-any.whl`)
const indexOf = (...releases: readonly ListedRelease[]): ReleaseIndex => ({
  schema: 1,
  application: 'notes',
  releases,
  channels: {},
})
const released = (version: string, more: Partial<ListedRelease> = {}) =>
  listed(version, { python: [wheel(version)], ...more })
const withdrawn = { reason: 'loses "notes" & more', atMs: 0 }

const texts = (index: ReleaseIndex, claimed?: readonly string[]) =>
  Object.fromEntries(renderProjects(index, claimed).map(({ key, bytes }) => [key, bytes.toString()]))
const page = (index: ReleaseIndex) => texts(index)['simple/notes-client/index.html']!
const json = (index: ReleaseIndex) => JSON.parse(texts(index)['simple/notes-client/index.json']!)

describe('the index of a project', () => {
  it('names files with their hashes and the Python that they need', () => {
    const needs = file('notes_client-1.0.0-py3-none-any.whl', { requiresPython: '>=3.9' })
    const index = indexOf(listed('1.0.0', { python: [needs] }))
    expect(page(index)).toContain(
      `<a href="../../pool/notes/1.0.0/${needs.name}#sha256=${hexOf(needs.digest)}" data-requires-python="&gt;=3.9">${needs.name}</a>`,
    )
    expect(json(index)).toEqual({
      meta: { 'api-version': '1.1' },
      name: 'notes-client',
      versions: ['1.0.0'],
      files: [
        {
          filename: needs.name,
          url: `../../pool/notes/1.0.0/${needs.name}`,
          hashes: { sha256: hexOf(needs.digest) },
          size: 7,
          'requires-python': '>=3.9',
          yanked: false,
        },
      ],
    })
  })

  it('marks what was yanked, and keeps it', () => {
    const index = indexOf(released('1.0.0', { yanked: withdrawn }), released('1.1.0'))
    expect(page(index)).toMatch(/1\.0\.0[^>]* data-yanked="loses &quot;notes&quot; &amp; more">/)
    expect(page(index).match(/data-yanked/g)).toHaveLength(1)
    expect(json(index).files.map((each: { yanked: unknown }) => each.yanked)).toEqual([withdrawn.reason, false])
  })

  it('marks it even where nobody said why', () => {
    const index = indexOf(released('1.0.0', { yanked: { reason: '', atMs: 0 } }))
    expect(page(index)).toContain(' data-yanked="">')
    expect(json(index).files[0].yanked).toBe(true)
  })

  it('names a file that several releases bring once, and marks it when the last of them was yanked', () => {
    const python = [wheel('1.0.0')]
    const both = (first: Partial<ListedRelease>, second: Partial<ListedRelease>) =>
      json(indexOf(listed('1.0.0', { python, ...first }), listed('1.1.0', { python, ...second }))).files
    expect(both({}, {})).toHaveLength(1)
    expect(both({}, {})[0].url).toContain('pool/notes/1.0.0/')
    expect(both({ yanked: withdrawn }, {})[0].yanked).toBe(false)
    expect(both({}, { yanked: withdrawn })[0].yanked).toBe(false)
    expect(both({ yanked: withdrawn }, { yanked: withdrawn })[0].yanked).toBe(withdrawn.reason)
  })

  it('leaves snapshots out, for pip would take them for releases', () => {
    const index = indexOf(released('1.0.0'), released('1.1.0-git20260101.abc1234'))
    expect(json(index).versions).toEqual(['1.0.0'])
  })

  it('is there, empty, for a project that only snapshots bring or that is gone', () => {
    const pages = texts(indexOf(released('1.1.0-git20260101.abc1234')), ['notes-gone'])
    expect(Object.keys(pages)).toEqual([
      'simple/notes-client/index.html',
      'simple/notes-client/index.json',
      'simple/notes-gone/index.html',
      'simple/notes-gone/index.json',
    ])
    for (const text of Object.values(pages)) expect(text).not.toContain('whl')
  })

  it('refuses a project that is no name', () => {
    const index = indexOf(listed('1.0.0', { python: [file('x-1-py3-none-any.whl', { project: '../x' })] }))
    expect(() => renderProjects(index)).toThrow(expect.objectContaining({ code: 'PACKAGE_INVALID' }))
  })
})

it('lists projects by their one spelling, once', () => {
  const summary = summarised(indexOf(released('1.0.0'), released('1.1.0')), '')
  const [page, list] = renderProjectList(ledgerOf({ notes: summary, alpha: { ...summary, projects: ['alpha'] } }))
  expect(page!.bytes.toString()).toMatch(/<a href="alpha\/">alpha<\/a><br>\n<a href="notes-client\/">notes-client<\/a>/)
  expect(JSON.parse(list!.bytes.toString())).toEqual({
    meta: { 'api-version': '1.1' },
    projects: [{ name: 'alpha' }, { name: 'notes-client' }],
  })
})

it('reads the version of a distribution from its name', () => {
  expect(distributionVersion('notes_client-1.0.0rc1-py3-none-any.whl')).toBe('1.0.0rc1')
  expect(distributionVersion('notes-1.0+local.1-2-cp311-cp311-manylinux_2_17_x86_64.whl')).toBe('1.0+local.1')
  expect(distributionVersion('notes-client-2.0.tar.gz')).toBe('2.0')
  expect(distributionVersion('notes_client-1!2.0.zip')).toBe('1!2.0')
  expect(distributionVersion('notes.tar.gz')).toBeUndefined()
  expect(distributionVersion('notes-1.0.exe')).toBeUndefined()
})
