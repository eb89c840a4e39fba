import { describe, expect, it } from 'vitest'
import { renderChangelog, renderCopyright } from '../../../src/envelope/deb-documents.ts'

const change = {
  package: 'app',
  version: '1.0.0-1',
  maintainer: 'Ada <ada@example.org>',
  sourceDateEpoch: 1_767_225_600,
  changes: '## 1.0.0\n\n### Features\n\n- Faster\n* Smaller\n\nAnd nicer.\u001b[31m\n',
}

describe('renderChangelog', () => {
  it('makes an entry with an item for each line', () => {
    expect(renderChangelog(change)).toBe(`app (1.0.0-1) unstable; urgency=medium

  * Faster
  * Smaller
  * And nicer. [31m

 -- Ada <ada@example.org>  Thu, 01 Jan 2026 00:00:00 +0000
`)
  })

  it('says something when nothing is said', () => {
    expect(renderChangelog({ ...change, changes: '## 1.0.0\n' })).toContain('  * New release.\n')
  })

  it('refuses a maintainer of two lines', () => {
    const wrong = { ...change, maintainer: 'Ada\n -- Eve' }
    expect(() => renderChangelog(wrong)).toThrow(expect.objectContaining({ code: 'DEB_FIELD' }))
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

  it('refuses a licence of two lines', () => {
    expect(() => renderCopyright({ ...options, licence: 'MIT\nFiles: x' })).toThrow(
      expect.objectContaining({ code: 'DEB_FIELD' }),
    )
  })
})
