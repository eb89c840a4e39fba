import { expect, it } from 'vitest'
import { type AccountOptions, accountsPart, type DebUser } from '../../../src/envelope/deb-accounts.ts'

const user: DebUser = { name: 'app', summary: 'Runs 100 % of: "app"', home: 'var/lib/app', groups: ['ssl-cert'] }

function textsOf(options: Omit<AccountOptions, 'package'>): Record<string, string> {
  const entries = accountsPart({ package: 'app', ...options }).entries ?? []
  return Object.fromEntries(
    entries.map(entry => [entry.path, entry.type === 'file' ? String(entry.bytes) : entry.type]),
  )
}

it('declares a user, its groups and its home', () => {
  expect(textsOf({ user })).toEqual({
    'usr/lib/sysusers.d/app.conf':
      'u app - "Runs 100 %% of  \\"app\\"" /var/lib/app /usr/sbin/nologin\nm app ssl-cert\n',
    'usr/lib/tmpfiles.d/app.conf': 'd /var/lib/app 0750 app app -\n',
  })
})

it('makes them when the package is configured, with what that needs', () => {
  const { scripts, depends } = accountsPart({ package: 'app', user })
  expect(Object.keys(scripts!)).toEqual(['postinst'])
  expect(scripts?.postinst).toContain(`systemd-sysusers \${DPKG_ROOT:+--root="$DPKG_ROOT"} 'app.conf'`)
  expect(scripts?.postinst).toContain(`systemd-tmpfiles \${DPKG_ROOT:+--root="$DPKG_ROOT"} --create 'app.conf'`)
  expect(depends).toEqual([
    'systemd | systemd-standalone-sysusers | systemd-sysusers',
    'systemd | systemd-standalone-tmpfiles | systemd-tmpfiles',
  ])
})

it('adds the files of the recipe behind its own lines', () => {
  expect(textsOf({ user, sysusers: 'g extra -', tmpfiles: 'd /var/cache/app\n' })).toEqual({
    'usr/lib/sysusers.d/app.conf': expect.stringMatching(/^u app .*\nm app ssl-cert\ng extra -\n$/),
    'usr/lib/tmpfiles.d/app.conf': 'd /var/lib/app 0750 app app -\nd /var/cache/app\n',
  })
  expect(Object.keys(textsOf({ tmpfiles: 'd /x\n' }))).toEqual(['usr/lib/tmpfiles.d/app.conf'])
})

it('adds nothing to a package without any', () => {
  expect(accountsPart({ package: 'app' })).toEqual({})
})

it.each<[string, Partial<DebUser>]>([
  ['a name with a space', { name: 'app root' }],
  ['a name that is an option', { name: '-app' }],
  ['a name with a line break', { name: 'app\nu root' }],
  ['a group that is none', { groups: ['$(id)'] }],
  ['a home with a space', { home: 'var/lib/a /root' }],
  ['a home with a specifier', { home: 'var/%h' }],
  ['a summary of two lines', { summary: 'x\nu eve 0' }],
])('refuses %s', (_, change) => {
  expect(() => textsOf({ user: { ...user, ...change } })).toThrow(expect.objectContaining({ code: 'DEB_FIELD' }))
})
