import { describe, expect, it } from 'vitest'
import { renderNginx } from '../../../src/repository/nginx.ts'

const options = { name: 'acme.example', root: '/srv/a b', url: 'https://example.org/', registry: '127.0.0.1:8080' }

describe('renderNginx', () => {
  it('names the folder and the host', () => {
    const text = renderNginx(options)
    expect(text).toContain('root "/srv/a b";')
    expect(text).toContain('server_name example.org;')
    expect(text).toContain('listen 80;')
  })

  it.each([
    ['http://example.org:8081/', ['listen 8081;', 'server_name example.org;']],
    ['https://example.org:8443/', ['listen 80;']],
    ['https://example.org/a.b/repo/', ['rewrite "^/a[.]b/repo(/.*)$" $1;']],
    ['file:///srv/repository', ['listen 80;', 'server_name _;']],
  ])('knows from %s where to listen', (url, lines) => {
    for (const line of lines) expect(renderNginx({ ...options, url })).toContain(`    ${line}\n`)
  })

  it.each(['/srv/"; include /etc/passwd; "', '/srv/$host', '/srv/a\\', '/srv/a\nb', 'relative'])(
    'comes to nothing for the folder %j',
    root => {
      expect(renderNginx({ ...options, root })).toBeUndefined()
    },
  )

  it('lets several repositories be served by one nginx', () => {
    const names = (name: string) => new Set(renderNginx({ ...options, name })?.match(/cutover_\w+/g))
    expect(names('one').intersection(names('two')).size).toBe(0)
  })
})
