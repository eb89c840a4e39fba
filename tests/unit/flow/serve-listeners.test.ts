import net from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { areListenersOf, serveListeners } from '../../../src/flow/serve-listeners.ts'
import type { ServedRelease } from '../../../src/flow/serve-release.ts'
import type { HandedSocket } from '../../../src/sys/process.ts'

const sockets: net.BoundSocket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close()
})

/** A release whose recipe names places. */
function release(...listen: (string | { readonly address: string; readonly name: string })[]): ServedRelease {
  const listeners = listen.map(each => ({
    name: 'http',
    tls: false,
    proxyProtocol: false,
    ...(typeof each === 'string' ? { address: each } : each),
  }))
  return { node: { gate: { listen: listeners } }, values: { PORT: '80' } } as unknown as ServedRelease
}

const tcp = (port: number) => ({ kind: 'tcp', host: '127.0.0.1', port }) as const
const handed = (name: string, descriptor: number, port: number): HandedSocket => ({
  name,
  descriptor,
  boundTo: tcp(port),
})
const of = (inherited: readonly HandedSocket[], from?: ServedRelease, listen?: string) =>
  serveListeners({ inherited, listen }, from).map(({ name, address, listening }) => ({ name, address, listening }))

describe('serveListeners', () => {
  it('binds what the recipe names, or what is said instead', () => {
    const notes = release('127.0.0.1:${PORT}', { address: '127.0.0.1:81', name: 'admin' })
    expect(of([], notes)).toEqual([
      { name: 'http', address: tcp(80), listening: { kind: 'address', address: tcp(80) } },
      { name: 'admin', address: tcp(81), listening: { kind: 'address', address: tcp(81) } },
    ])
    expect(of([], notes, '127.0.0.1:82').map(({ address }) => address)).toEqual([tcp(82)])
    expect(of([])).toEqual([])
  })

  it('takes what was handed over in the order of the recipe: by address, then by name', () => {
    const notes = release('127.0.0.1:80', { address: '127.0.0.1:81', name: 'admin' })
    const found = of([handed('admin', 3, 9081), handed('http', 4, 80)], notes)
    expect(found).toEqual([
      { name: 'http', address: tcp(80), listening: { kind: 'descriptor', descriptor: 4 } },
      { name: 'admin', address: tcp(9081), listening: { kind: 'descriptor', descriptor: 3 } },
    ])
  })

  it('takes what matches nothing in its order, and what is left over under its own name', () => {
    const found = of([handed('unknown', 3, 90), handed('more', 4, 91)], release('127.0.0.1:80'))
    expect(found).toEqual([
      { name: 'http', address: tcp(90), listening: { kind: 'descriptor', descriptor: 3 } },
      { name: 'more', address: tcp(91), listening: { kind: 'descriptor', descriptor: 4 } },
    ])
    expect(of([handed('first', 3, 90)])).toMatchObject([{ name: 'first', address: tcp(90) }])
  })

  it('believes the recipe where a socket does not listen yet, and nobody where there is none', () => {
    const bound = new net.BoundSocket({ host: '127.0.0.1', port: 0 })
    sockets.push(bound)
    const socket = { name: 'http', descriptor: bound.fd() }
    expect(of([socket], release('127.0.0.1:80'))).toMatchObject([{ address: tcp(80) }])
    expect(() => of([socket])).toThrow(expect.objectContaining({ code: 'GATE_ADDRESS_INVALID' }))
  })
})

it('tells whether sockets are where a release says, as far as it says that', () => {
  const notes = release('localhost:0', { address: '127.0.0.1:81', name: 'admin' }, 'unix:/run/notes.sock')
  const unix = { boundTo: { kind: 'unix', path: '/run/notes.sock' } } as const
  const [any, admin] = [{ boundTo: tcp(5000) }, { boundTo: tcp(81) }]
  expect(areListenersOf(notes, [any, admin, unix])).toBe(true)
  expect(areListenersOf(notes, [any, { boundTo: tcp(82) }, unix])).toBe(false)
  expect(areListenersOf(notes, [any, admin])).toBe(false)
  expect(areListenersOf(notes, [any, admin, { boundTo: undefined }])).toBe(false)
})
