import { describe, expect, it } from 'vitest'
import { applicationPort, renderUpstreams } from '../../../../src/gate/drivers/nginx-file.ts'
import { nginxSnippet } from '../../../../src/gate/drivers/nginx-snippet.ts'

const waiting = { kind: 'unix', path: '/run/cutover/shop/wait.sock' } as const
const render = (port: number | undefined) =>
  renderUpstreams({
    name: 'shop',
    application: port === undefined ? undefined : { kind: 'tcp', host: '127.0.0.1', port },
    waiting,
  })

describe('the file of upstreams', () => {
  it('has the waiting room behind the application, and can be read back', () => {
    expect(render(4711)).toContain(
      '    server 127.0.0.1:4711 max_fails=0;\n    server unix:/run/cutover/shop/wait.sock backup;\n',
    )
    expect(applicationPort(render(4711))).toBe(4711)
  })

  it('has only the waiting room before the application was ever started', () => {
    expect(render(undefined)).not.toContain('127.0.0.1')
    expect(applicationPort(render(undefined))).toBeUndefined()
  })

  it.each(['', 'server 127.0.0.1:1 max_fails=0;', '    server 127.0.0.1:99999 max_fails=0;', '\0'])(
    'is not read into %j',
    text => {
      expect(applicationPort(text)).toBeUndefined()
    },
  )
})

it.each(['/run/a b', '/run/a;b', '/run/$a', "/run/'a", '/run/a{', '/run/a\n'])(
  'writes no path into a configuration that nginx would read as something else: %j',
  folder => {
    const hostile = { kind: 'unix', path: `${folder}/wait.sock` } as const
    const refusal = expect.objectContaining({ code: 'GATE_SERVER_SETTINGS' })
    expect(() => renderUpstreams({ name: 'shop', application: undefined, waiting: hostile })).toThrowError(refusal)
    const places = {
      name: 'shop',
      file: '/etc/nginx/conf.d/a.conf',
      pidFile: '/run/a.pid',
      check: [],
      waiting: hostile,
    }
    const options = { prefix: '/var/shop', listening: [], trust: [], answerTimeoutMs: 1, idleTimeoutMs: 1 }
    expect(() => nginxSnippet(places, options)).toThrowError(refusal)
  },
)
