import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { renderApplication, renderEntrance, renderRelease } from '../../../../src/repository/pages/pages.ts'
import { makeRelease } from '../../../support/made-release.ts'
import { tempFolder } from '../../../support/temp.ts'

const description = { schema: 1, name: 'vendor', url: 'https://x.example/r', aptKey: '' } as const
const evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
const record = (version: string, changes = {}) => ({
  ...makeRelease({ distFolder: tempFolder(), version, tag: `v${version}`, python: true }),
  ...changes,
})

describe('pages', () => {
  it('escape whatever a record says', () => {
    const release = record('1.0.0', { summary: evil, changes: evil, licence: evil, commit: evil })
    const entry = { name: 'notes', releases: [release] }
    const texts = [
      renderRelease(description, release),
      renderApplication(description, entry),
      renderEntrance({ description: { ...description, name: evil }, applications: [entry] }, digestOf('root')),
    ].map(document => document.bytes.toString())
    for (const text of texts) {
      expect(text).not.toContain('<script')
      expect(text).not.toContain('<img')
      expect(text).toContain('&lt;script&gt;')
    }
  })

  it('lead to every file with its digest', () => {
    const release = record('1.0.0')
    const text = renderRelease(description, release).bytes.toString()
    for (const artifact of release.components[0]!.artifacts) expect(text).toContain(artifact.digest)
    expect(text).toContain('href="../../../pool/notes/1.0.0/notes_1.0.0-1_all.deb"')
  })

  it('show commands that can be copied', () => {
    const text = renderRelease(description, record('1.0.0')).bytes.toString()
    expect(text).toContain('cutover init /srv/notes --repository https://x.example/r --application notes')
    expect(text).toContain('bin/install --version 1.0.0')
    expect(text).toContain('apt-get install notes=1.0.0-1')
    expect(text).toContain('pip install --index-url https://x.example/r/simple/ NOTES==1.0.0')
  })

  it('name the newest stable release, not the newest of all', () => {
    const entry = { name: 'notes', releases: [record('1.0.0'), record('1.1.0-rc.1')] }
    const text = renderEntrance({ description, applications: [entry] }, digestOf('root')).bytes.toString()
    expect(text).toContain('href="pages/notes/1.0.0/index.html"')
    expect(text).not.toContain('1.1.0-rc.1')
  })

  it('list releases from the newest on', () => {
    const entry = { name: 'notes', releases: [record('1.9.0'), record('1.10.0')] }
    const text = renderApplication(description, entry).bytes.toString()
    expect(text.indexOf('1.10.0')).toBeLessThan(text.indexOf('1.9.0'))
  })
})
