import { beforeAll, describe, expect, it } from 'vitest'
import { type DebDescription, planDeb } from '../../../src/envelope/deb-package.ts'
import type { SmallEntry } from '../../../src/envelope/small-tar.ts'
import { type TestEnvelopes, testEnvelopes, unitLife } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

let envelopes: TestEnvelopes

beforeAll(async () => {
  envelopes = await testEnvelopes(tempFolder(), { 'bin/run.sh': '#!/bin/sh\n', link: { link: 'bin' } })
})

const file = (path: string, text = 'x'): SmallEntry => ({ type: 'file', path, mode: 0o644, bytes: Buffer.from(text) })
const plan = (changes: Partial<DebDescription>) =>
  planDeb({ ...envelopes.debOptions, ...changes }, envelopes.manifest, envelopes.md5sums)

function control(changes: Partial<DebDescription>, name: string): string | undefined {
  const member = plan(changes).control.find(({ entry }) => entry.name === `./${name}`)
  return member?.bytes === undefined ? undefined : String(member.bytes)
}

describe('planDeb', () => {
  it('takes what is below etc for configuration, besides what is named', () => {
    const changes = { files: [file('etc/b'), file('etc/a'), file('srv/c')], conffiles: ['srv/c', 'etc/b'] }
    expect(control(changes, 'conffiles')).toBe('/srv/c\n/etc/b\n/etc/a\n')
    expect(control(changes, 'md5sums')).not.toMatch(/ {2}(etc|srv)\//)
  })

  it('lists configuration to remove on upgrade', () => {
    expect(control({ removedConffiles: ['etc/old.conf'] }, 'conffiles')).toBe('remove-on-upgrade /etc/old.conf\n')
    expect(control({}, 'conffiles')).toBeUndefined()
  })

  it('adds what its parts need to Depends, once', () => {
    const user = { name: 'app', summary: 'x', home: 'var/lib/app', groups: [] }
    const fields = { Depends: ['systemd | systemd-standalone-sysusers | systemd-sysusers', 'libc6'] }
    const text = control({ accounts: { user }, control: { ...envelopes.debOptions.control, fields } }, 'control')
    const [, depends] = /^Depends: (.*)$/m.exec(text!)!
    expect(depends!.split(', ')).toEqual([
      'systemd | systemd-standalone-sysusers | systemd-sysusers',
      'libc6',
      'systemd | systemd-standalone-tmpfiles | systemd-tmpfiles',
    ])
  })

  it('runs what installs in order, and what removes in reverse', () => {
    const changes: Partial<DebDescription> = {
      scripts: { postinst: 'own-text', prerm: 'own-text' },
      accounts: { tmpfiles: 'd /x\n' },
      alternatives: [{ name: 'run', link: 'usr/bin/run', path: 'opt/app/bin/run.sh', priority: 1, slaves: [] }],
      units: [{ name: 'app.service', text: '', ...unitLife }],
    }
    const order = (name: string) =>
      control(changes, name)!.match(/systemd-tmpfiles|own-text|update-alternatives|deb-systemd-invoke/g)
    expect(order('postinst')).toEqual(['systemd-tmpfiles', 'own-text', 'update-alternatives', 'deb-systemd-invoke'])
    expect(order('prerm')).toEqual(['deb-systemd-invoke', 'update-alternatives', 'own-text'])
  })

  it('puts links behind everything else that it adds', () => {
    const link: SmallEntry = { type: 'symlink', path: 'etc/a', linkTarget: 'b' }
    const names = plan({ files: [link, file('etc/b')] }).tail.map(({ entry }) => entry.name)
    expect(names.at(-1)).toBe('./etc/a')
  })

  it.each<[string, Partial<DebDescription>, string]>([
    ['a file that the payload has', { files: [file('opt/app/bin/run.sh')] }, 'DEB_FIELD'],
    ['a file in place of a folder', { files: [file('opt/app')] }, 'DEB_FIELD'],
    ['a file below a file', { files: [file('opt/app/bin/run.sh/x')] }, 'DEB_FIELD'],
    ['a file below a link of the payload', { files: [file('opt/app/link/x')] }, 'DEB_FIELD'],
    ['a file twice', { files: [file('usr/share/doc/app/copyright')] }, 'DEB_FIELD'],
    ['configuration that is not there', { conffiles: ['etc/none'] }, 'DEB_FIELD'],
    ['configuration that is a link', { conffiles: ['opt/app/link'] }, 'DEB_FIELD'],
    ['removed configuration that is there', { removedConffiles: ['opt/app/bin/run.sh'] }, 'DEB_FIELD'],
    ['two triggers in one line', { triggers: ['interest a\nactivate b'] }, 'DEB_FIELD'],
    ['more than documents need', { files: [file('srv/large', 'x'.repeat(17 * 1024 * 1024))] }, 'DEB_TOO_LARGE'],
    [
      'an alternative to nothing',
      { alternatives: [{ name: 'run', link: 'usr/bin/run', path: 'opt/app/none', priority: 1, slaves: [] }] },
      'DEB_FIELD',
    ],
  ])('refuses %s', (_, changes, code) => {
    expect(() => plan(changes)).toThrow(expect.objectContaining({ code }))
  })

  it('refuses a file below one that it brings itself', () => {
    expect(() => plan({ files: [file('etc/a'), file('etc/a/b')] })).toThrow(
      expect.objectContaining({ code: 'DEB_FIELD' }),
    )
  })
})
