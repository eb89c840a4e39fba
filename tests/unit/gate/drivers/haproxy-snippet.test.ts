import { describe, expect, it } from 'vitest'
import { haproxySnippet } from '../../../../src/gate/drivers/haproxy-snippet.ts'

const places = {
  socket: '/run/admin.sock',
  map: '/var/shop/routes.map',
  key: 'shop',
  name: 'shop',
  stateFile: '/var/shop/state',
}
const options = {
  prefix: '/var/shop',
  listening: [],
  trust: ['10.0.0.0/8'],
  answerTimeoutMs: 90_000,
  idleTimeoutMs: 75_000,
}
const snippet = (changes: object, chroot?: string) =>
  haproxySnippet(
    { ...places, ...changes },
    { folder: '/var/lib/haproxy/cutover/shop', group: 'haproxy' },
    { ...options, chroot },
  )

describe('what HAProxy needs', () => {
  it('names our socket as HAProxy sees it from its chroot', () => {
    expect(snippet({}, '/var/lib/haproxy')).toContain('server gate unix@/cutover/shop/wait.sock check')
    expect(snippet({})).toContain('server gate unix@/var/lib/haproxy/cutover/shop/wait.sock check')
  })

  it('believes trusted peers alone', () => {
    expect(snippet({})).toContain('http-request del-header X-Forwarded-For unless { src 10.0.0.0/8 }\n')
  })

  it.each([
    { map: '/var/a b' },
    { key: 'a)],map(x' },
    { name: 'a\n' },
    { socket: '/run/"x"' },
    { stateFile: '/var/a#b' },
  ])('takes nothing that would be read as something else: %j', changes => {
    expect(() => snippet(changes)).toThrowError(expect.objectContaining({ code: 'GATE_SERVER_SETTINGS' }))
  })
})
