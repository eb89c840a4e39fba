import { expect, it } from 'vitest'
import { renderHaproxy, renderNginx } from '../../../src/slots/render-front.ts'

const front = {
  site: '/srv/www',
  name: 'www',
  roles: [
    { name: 'production', host: 'www.example.org' },
    { name: 'development', host: 'test.example.org' },
  ],
  slots: [
    { name: 'blue', address: { kind: 'tcp', host: '127.0.0.1', port: 8081 } },
    { name: 'green', address: { kind: 'tcp', host: '::1', port: 8082 } },
  ],
} as const

it('has HAProxy ask the map for each request, and turn away whom it leads nowhere', () => {
  const text = renderHaproxy(front, { map: '/srv/www/routes.map' })
  expect(text).toContain('str(production) if { req.hdr(host),field(1,:),lower -m str www.example.org }')
  expect(text).toContain('use_backend %[var(txn.role),map(/srv/www/routes.map,www-none)]')
  expect(text).toContain('backend www-green\n')
  expect(text).toContain('    server gate ::1:8082\n')
  expect(text).toContain('backend www-none\n')
})

it('has nginx look at files for each request, the first slot being the one that no file names', () => {
  const text = renderNginx(front, { routes: '/srv/www/routes' })
  expect(text).toContain('if (-f /srv/www/routes/production/green) {')
  expect(text).not.toContain('routes/production/blue')
  expect(text).toContain('if (-f /srv/www/routes/development/none) {')
  expect(text).toContain('server [::1]:8082 max_fails=0;')
})

it('refuses names that would be more than one word there', () => {
  const hostile = { ...front, roles: [{ name: 'production', host: 'a; include /etc/passwd' }] }
  const refused = expect.objectContaining({ code: 'GATE_SERVER_SETTINGS' })
  expect(() => renderHaproxy(hostile, { map: '/m' })).toThrow(refused)
  expect(() => renderNginx(hostile, { routes: '/r' })).toThrow(refused)
})
