import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { manualPage, renderChangelog, renderCopyright, renderOverrides } from '../../../src/envelope/deb-documents.ts'
import type { SmallEntry } from '../../../src/envelope/small-tar.ts'

const entry = {
  version: '1.0.0-1',
  timeSeconds: 1_767_225_600,
  changes: '## 1.0.0\n\n### Features\n\n- Faster\n* Smaller,\n  and denser\n  - nested\n\nAnd nicer.\u001b[31m\n',
}
const changelog = { source: 'app', maintainer: 'Ada <ada@example.org>', entries: [entry] }

describe('renderChangelog', () => {
  it('makes an entry with an item for each item and paragraph', () => {
    expect(renderChangelog(changelog)).toBe(`app (1.0.0-1) unstable; urgency=medium

  * Faster
  * Smaller, and denser
  * nested
  * And nicer. [31m

 -- Ada <ada@example.org>  Thu, 01 Jan 2026 00:00:00 +0000
`)
  })

  it('breaks long items at 80 characters, but no word', () => {
    const changes = `- ${'word '.repeat(30)}${'w'.repeat(90)} end`
    const lines = renderChangelog({ ...changelog, entries: [{ ...entry, changes }] }).split('\n')
    expect(lines.filter(line => line.length > 80)).toEqual([`    ${'w'.repeat(90)}`])
    expect(lines.slice(2, -3).every((line, index) => line.startsWith(index === 0 ? '  * ' : '    '))).toBe(true)
  })

  it('has earlier versions below the newest', () => {
    const earlier = { version: '0.9.0-1', timeSeconds: 1_767_139_200, changes: '' }
    const text = renderChangelog({ ...changelog, entries: [entry, earlier] })
    expect(text.match(/^app .*$/gm)).toEqual([
      'app (1.0.0-1) unstable; urgency=medium',
      'app (0.9.0-1) unstable; urgency=medium',
    ])
    expect(text).toContain('+0000\n\napp (0.9.0-1)')
  })

  it('says something when nothing is said', () => {
    const silent = { ...entry, changes: '## 1.0.0\n' }
    expect(renderChangelog({ ...changelog, entries: [silent] })).toContain('  * New release.\n')
  })

  it('refuses a maintainer of two lines', () => {
    const wrong = { ...changelog, maintainer: 'Ada\n -- Eve' }
    expect(() => renderChangelog(wrong)).toThrow(expect.objectContaining({ code: 'DEB_FIELD' }))
  })
})

function gzipped(entry: SmallEntry): Buffer {
  return entry.type === 'file' ? Buffer.from(entry.bytes) : Buffer.alloc(0)
}

describe('manualPage', () => {
  it('goes compressed into the folder of its section', () => {
    const page = manualPage('app.conf.5', Buffer.from('.TH APP'))
    expect(page).toMatchObject({ type: 'file', path: 'usr/share/man/man5/app.conf.5.gz', mode: 0o644 })
    expect(gunzipSync(gzipped(page)).toString()).toBe('.TH APP')
  })

  it('has no name or time, and says that it was compressed as far as possible', () => {
    const bytes = gzipped(manualPage('app.1', Buffer.from('x')))
    expect([bytes[3], bytes.readUInt32LE(4), bytes[8]]).toEqual([0, 0, 2])
  })

  it.each(['app', 'app.x', '../app.1', 'man1/app.1'])('refuses the name %s', name => {
    expect(() => manualPage(name, Buffer.from(''))).toThrow(expect.objectContaining({ code: 'DEB_FIELD' }))
  })
})

describe('renderOverrides', () => {
  it('writes each below its reason', () => {
    expect(
      renderOverrides('app', [
        { tag: 'a-tag', reason: 'It is meant.' },
        { tag: 'b-tag', context: '*file*', reason: 'That, too.' },
      ]),
    ).toBe('# It is meant.\napp: a-tag\n\n# That, too.\napp: b-tag *file*\n')
  })

  it('refuses a reason that would be a second override', () => {
    const wrong = [{ tag: 'a-tag', reason: 'x\napp: *' }]
    expect(() => renderOverrides('app', wrong)).toThrow(expect.objectContaining({ code: 'DEB_FIELD' }))
  })
})

describe('renderCopyright', () => {
  const options = { name: 'app', licence: 'MIT', maintainer: 'Ada <ada@example.org>', sourceDateEpoch: 1_767_225_600 }

  it('names licence, holder and source', () => {
    const text = renderCopyright({ ...options, homepage: 'https://example.org' })
    expect(text).toMatch(/^Format: https:/)
    expect(text).toContain(
      '\nSource: https://example.org\n\nFiles: *\nCopyright: 2026 Ada <ada@example.org>\nLicense: MIT\n',
    )
    expect(renderCopyright(options)).not.toContain('Source:')
  })

  it('leads to the text of a licence that every Debian has', () => {
    expect(renderCopyright({ ...options, licence: 'GPL-3.0-or-later' })).toContain('/usr/share/common-licenses/GPL-3.')
    expect(renderCopyright(options)).not.toContain('common-licenses')
  })

  it('refuses a licence of two lines', () => {
    expect(() => renderCopyright({ ...options, licence: 'MIT\nFiles: x' })).toThrow(
      expect.objectContaining({ code: 'DEB_FIELD' }),
    )
  })
})
