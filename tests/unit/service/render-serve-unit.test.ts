import { describe, expect, it } from 'vitest'
import { renderServeUnits, type ServeUnitOptions } from '../../../src/service/render-serve-unit.ts'

const options: ServeUnitOptions = {
  instance: 'cutover-notes-12345678',
  root: '/var/notes',
  argv: ['/var/notes/bin/serve'],
  sockets: [],
  owner: undefined,
}
const render = (changes: Partial<ServeUnitOptions>) => renderServeUnits({ ...options, ...changes })
const stream = (name: string, text: string) => ({ name, stream: text })

describe('renderServeUnits', () => {
  it('says how a prefix is served, and ends it alone, for it ends its services itself', () => {
    const units = render({})
    expect(Object.keys(units)).toEqual(['cutover-notes-12345678.service'])
    const lines = units['cutover-notes-12345678.service']!.split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'ExecStart=/var/notes/bin/serve',
        'KillMode=mixed',
        'Restart=always',
        'NotifyAccess=main',
      ]),
    )
    expect(lines.join('\n')).not.toContain('Sockets=')
  })

  it('has a socket unit for each name, all of which belong to the one service', () => {
    const sockets = [stream('http', '0.0.0.0:80'), stream('admin', '127.0.0.1:81'), stream('http', '/run/notes.sock')]
    const units = render({ sockets, owner: { uid: 33, gid: 34 } })
    const [http, admin] = ['cutover-notes-12345678-http.socket', 'cutover-notes-12345678-admin.socket']
    expect(Object.keys(units)).toEqual(['cutover-notes-12345678.service', http, admin])
    const service = units['cutover-notes-12345678.service']!
    for (const key of ['Requires', 'After', 'Sockets']) expect(service).toContain(`\n${key}=${http} ${admin}\n`)
    expect(units[http]!.split('\n')).toEqual(
      expect.arrayContaining([
        'ListenStream=0.0.0.0:80',
        'ListenStream=/run/notes.sock',
        'FileDescriptorName=http',
        'Service=cutover-notes-12345678.service',
        'SocketUser=33',
        'SocketGroup=34',
      ]),
    )
    expect(units[admin]!).toContain('\nListenStream=127.0.0.1:81\nFileDescriptorName=admin\n')
    expect(units[admin]!).not.toContain('SocketUser')
  })

  it('leaves IPv4 to its own socket where there is one of the same port', () => {
    const of = (...streams: string[]) =>
      render({ sockets: streams.map(text => stream('http', text)) })['cutover-notes-12345678-http.socket']!
    expect(of('[::]:80', '0.0.0.0:80')).toContain('BindIPv6Only=ipv6-only')
    expect(of('[::]:80', '0.0.0.0:81')).not.toContain('BindIPv6Only')
    expect(of('[::]:80')).not.toContain('BindIPv6Only')
  })
})
