import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ReleaseRecord } from '../../../../src/payload/release-record.ts'
import { emptyLedger } from '../../../../src/repository/ledger.ts'
import { renderApplication } from '../../../../src/repository/pages/application.ts'
import { renderEntrance } from '../../../../src/repository/pages/entrance.ts'
import { renderRelease } from '../../../../src/repository/pages/release.ts'
import { emptyIndex } from '../../../../src/trust/release-index.ts'
import { htmlErrors } from '../../../support/html-errors.ts'
import { anyIndex } from '../../../support/made-index.ts'
import { makeRelease } from '../../../support/made-release.ts'
import { description, evidenceOf, indexed, ledgerOf, rootFingerprint, summarised } from '../../../support/made-site.ts'
import { tempFolder } from '../../../support/temp.ts'

const distFolder = tempFolder()
const stored = (version: string): ReleaseRecord => {
  const python = { name: `notes-${version}-py3-none-any.whl`, project: 'Notes', bytes: Buffer.from(version) }
  return makeRelease({ distFolder, version, tag: `v${version}`, python, evidence: true })
}
const [old, record, newer] = ['1.0.0', '1.1.0', '1.2.0-rc.1'].map(stored) as [
  ReleaseRecord,
  ReleaseRecord,
  ReleaseRecord,
]
const channels = {
  edge: ['1.0.0', '1.1.0', '1.2.0-rc.1'],
  beta: ['1.0.0', '1.1.0', '1.2.0-rc.1'],
  stable: ['1.0.0', '1.1.0'],
}
const index = indexed([old, record, newer], channels)
const yanked = indexed([old, record, newer], channels, { '1.1.0': { yanked: { reason: 'loses notes', atMs: 0 } } })

/** The words of a page and the addresses in it, without what they stand in. */
const textOf = (page: { readonly bytes: Buffer }) =>
  page.bytes
    .toString()
    .replace(/<\/?span>/g, '')
    .replaceAll('&#39;', "'")
const release = (url: string, from = index, of = record) =>
  textOf(renderRelease({ ...description, url }, of, { index: from, rootFingerprint }))
const entrance = (from = index) =>
  textOf(renderEntrance(description, ledgerOf({ notes: summarised(from, 'Keeps notes') }), rootFingerprint))
const application = (from = index) =>
  textOf(renderApplication(description, from, { summary: summarised(from, 'Keeps notes'), rootFingerprint }))

describe('the page of a release', () => {
  it('leads to every file with its digest', () => {
    const text = release(description.url)
    for (const artifact of record.components[0]!.artifacts) expect(text).toContain(artifact.digest)
    expect(text).toContain('href="../../../pool/notes/1.1.0/notes_1.1.0-1_all.deb"')
  })

  it('has the commands of each client for exactly this release', () => {
    const text = release('https://x.example')
    for (const command of [
      `cutover init /srv/notes --repository https://x.example --application notes --root-fingerprint ${rootFingerprint}`,
      '/srv/notes/bin/install --version 1.1.0',
      'curl -fsSL -o /etc/apt/sources.list.d/vendor.sources https://x.example/apt/stable.sources',
      'apt-get install notes=1.1.0-1',
      'podman pull x.example/notes:1.1.0',
      'docker pull x.example/notes:1.1.0',
      'skopeo copy docker://x.example/notes:1.1.0 oci:notes:1.1.0',
      `podman pull x.example/notes@${index.releases[1]!.images[0]!.digest}`,
      'pip install --index-url https://x.example/simple/ notes==1.1.0',
      `release verify 1.1.0 --application notes --url https://x.example --fingerprint ${rootFingerprint}`,
    ])
      expect(text).toContain(`<code>${command}</code>`)
  })

  it('names the most stable channel that offers it', () => {
    expect(release(description.url, index, newer)).toContain('/apt/beta.sources')
  })

  it('tells clients what they must be told where there is no TLS', () => {
    const text = release('http://x.example:8080')
    expect(text).toContain('podman pull --tls-verify=false x.example:8080/notes:1.1.0')
    expect(text).toContain('skopeo copy --src-tls-verify=false docker://x.example:8080/notes:1.1.0')
    expect(text).toContain(
      'pip install --index-url http://x.example:8080/simple/ --trusted-host x.example notes==1.1.0',
    )
    expect(text).toContain('insecure-registries')
  })

  it('sends container tools to a copy where they do not look for a registry', () => {
    expect(release('https://x.example/r')).toContain('podman pull oci:REPOSITORY/oci/notes:1.1.0')
    expect(release('https://x.example/r')).not.toContain('docker pull')
  })

  it('names the tag that an image of a version with build metadata has', () => {
    const built = stored('1.3.0+b.7')
    const from = indexed([built], { stable: ['1.3.0+b.7'] })
    expect(release('https://x.example', from, built)).toContain('<code>podman pull x.example/notes:1.3.0_b.7</code>')
    expect(release('file:///srv/r', from, built)).toContain('<code>podman pull oci:/srv/r/oci/notes:1.3.0_b.7</code>')
  })

  it('has commands for a folder', () => {
    const text = release('file:///srv/my%20releases')
    expect(text).toContain("podman pull 'oci:/srv/my releases/oci/notes:1.1.0'")
    expect(text).toContain("cp '/srv/my releases/apt/stable.sources' /etc/apt/sources.list.d/vendor.sources")
    expect(text).toContain('pip install --index-url file:///srv/my%20releases/simple/ notes==1.1.0')
  })

  it('takes the sources of the application where its packages have a component of their own', () => {
    const apt = { ...description.apt, components: 'application' } as const
    const page = renderRelease({ ...description, apt }, record, { index, rootFingerprint })
    expect(textOf(page)).toContain(
      '-o /etc/apt/sources.list.d/vendor-notes.sources https://releases.example.org/apt/notes/stable.sources',
    )
  })

  it('says first that it was yanked, why, and where to look instead', () => {
    const text = release(description.url, yanked)
    expect(text.indexOf('This release was yanked')).toBeLessThan(text.indexOf('The notes service'))
    expect(text).toMatch(
      /role="note">\n<p><strong>This release was yanked<\/strong> on .*1970-01-01.*<bdi>loses notes<\/bdi>/,
    )
    expect(text).toContain('<a href="../index.html">what the channels offer</a>')
    expect(text).not.toContain('apt-get install notes=')
    expect(text).toContain('apt-get install ./notes_1.1.0-1_all.deb')
  })

  it('tells what it consists of and how it was made', () => {
    const summary = {
      subject: 'notes 1.1.0',
      specVersion: '1.6',
      packages: 20,
      files: 1,
      licences: [{ name: 'MIT', packages: 19 }],
    }
    const evidence = { ...evidenceOf(record, distFolder), sboms: [{ name: 'notes.cdx.json', summary }] }
    const text = textOf(renderRelease(description, record, { index, rootFingerprint, evidence }))
    expect(text).toContain('20 packages, 1 file')
    expect(text).toContain('MIT (19)')
    expect(text).toContain('6 files, made from 1 material')
  })

  it('is only made of a release that is listed', () => {
    expect(() => renderRelease(description, record, { index: emptyIndex('notes'), rootFingerprint })).toThrow(
      expect.objectContaining({ code: 'RELEASE_UNKNOWN' }),
    )
  })
})

describe('the page of an application', () => {
  it('lists releases from the newest on, with their channels', () => {
    const rows = application().match(/<th scope="row".*?<\/tr>/gs)!
    expect(
      rows.map(row =>
        row
          .replace(/<[^>]*>/g, ' ')
          .replace(/\s+/g, ' ')
          .trim(),
      ),
    ).toEqual([
      '1.2.0-rc.1 pre-release 2023-11-14 beta edge',
      '1.1.0 2023-11-14 stable beta edge',
      '1.0.0 2023-11-14 stable beta edge',
    ])
  })

  it('keeps what was yanked, with the reason, and installs what is offered', () => {
    const text = application(yanked)
    expect(text).toMatch(/1\.1\.0.*Yanked.*loses notes/s)
    expect(text).toContain('Install 1.0.0')
    expect(text).toContain('apt-get install notes=1.0.0-1')
  })
})

describe('the front page', () => {
  it('says what each channel offers, the most stable first', () => {
    const heads = entrance()
      .match(/<dt>.*?<\/dd>/gs)!
      .map(head =>
        head
          .replace(/<[^>]*>/g, ' ')
          .replace(/\s+/g, ' ')
          .trim(),
      )
    expect(heads).toEqual(['stable 1.1.0 2023-11-14', 'beta 1.2.0-rc.1 2023-11-14', 'edge 1.2.0-rc.1 2023-11-14'])
    expect(entrance(yanked)).toContain('href="pages/notes/1.0.0/index.html"')
  })

  it('shows the fingerprint to compare', () => {
    expect(entrance()).toContain(`<code>${rootFingerprint}</code>`)
  })

  it('is a page before anything is published', () => {
    const page = renderEntrance(description, emptyLedger, rootFingerprint)
    expect(htmlErrors(page.bytes.toString())).toEqual([])
    expect(page.bytes.toString()).toContain('None yet.')
  })
})

it('makes well-formed pages of whatever is listed', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom('<script>', '"><img onerror=x>', "'", '&', '\u202e', '\u0000', '</title>'),
  )
  fc.assert(
    fc.property(anyIndex, text, text, (listed, summary, name) => {
      const context = { summary: summarised(listed, summary), rootFingerprint }
      const site = { ...description, name }
      const pages = [
        renderApplication(site, listed, context),
        renderEntrance(site, ledgerOf({ notes: context.summary }), rootFingerprint),
      ]
      for (const page of pages) expect(htmlErrors(page.bytes.toString())).toEqual([])
    }),
    { numRuns: 60 },
  )
})
