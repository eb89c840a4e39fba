import { describe, expect, it } from 'vitest'
import { applicationPorts, renderUpstreams } from '../../../../src/gate/drivers/nginx-file.ts'
import { nginxSnippet } from '../../../../src/gate/drivers/nginx-snippet.ts'

const waiting = { kind: 'unix', path: '/run/cutover/shop/wait.sock' } as const
const render = () => renderUpstreams({ name: 'shop', ports: [4711, 4712], waiting })

describe('the file of upstreams', () => {
  it('has the waiting room behind the application, and can be read back', () => {
    expect(render()).toContain(
      '    server 127.0.0.1:4712 max_fails=0;\n    server unix:/run/cutover/shop/wait.sock backup;\n',
    )
    expect(applicationPorts(render())).toEqual([4711, 4712])
  })

  it.each([
    '',
    'server 127.0.0.1:1 max_fails=0;',
    render().replace('4711', '99999'),
    render().replace('4711', '4712'),
    render().replace(/4711.*$/m, ''),
    `${render()}${render()}`,
    '\0',
  ])('is not read into %j', text => {
    expect(applicationPorts(text)).toBeUndefined()
  })
})

it.each(['/run/a b', '/run/a;b', '/run/$a', "/run/'a", '/run/a{', '/run/a\n'])(
  'writes no path into a configuration that nginx would read as something else: %j',
  folder => {
    const hostile = { kind: 'unix', path: `${folder}/wait.sock` } as const
    const refusal = expect.objectContaining({ code: 'GATE_SERVER_SETTINGS' })
    expect(() => renderUpstreams({ name: 'shop', ports: [1, 2], waiting: hostile })).toThrowError(refusal)
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
