import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEmulator } from 'emulate'
import { afterAll } from 'vitest'

const endings = new Set<() => unknown>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => Promise.all([...endings].map(end => end())))

/** The token that the emulator takes. */
export const emulatorToken = 'of-the-tests'

/**
 * Run the emulator of GitHub's API with the repository `ada/notes`, and tell its address.
 *
 * It keeps no bytes of assets and tells no digests: what stands in front of it keeps them, and answers downloads.
 */
export async function githubEmulator(): Promise<string> {
  const emulator = await createEmulator({
    service: 'github',
    port: 0,
    seed: {
      tokens: { [emulatorToken]: { login: 'ada', scopes: ['repo'] } },
      github: { users: [{ login: 'ada' }], repos: [{ owner: 'ada', name: 'notes', auto_init: true }] },
    },
  })
  endings.add(() => emulator.close())
  const kept = new Map<number, Buffer>()
  const server = http.createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const body = Buffer.concat(pieces)
    const { method = '', url = '', headers } = request
    const asset = kept.get(Number(/assets\/(\d+)$/.exec(url)?.[1]))
    if (method === 'GET' && headers.accept === 'application/octet-stream' && asset !== undefined) {
      return void response.writeHead(200).end(asset)
    }
    const answered = await fetch(new URL(url, emulator.url), {
      method,
      headers: Object.fromEntries(
        ['authorization', 'content-type', 'accept'].flatMap(name =>
          headers[name] === undefined ? [] : [[name, String(headers[name])]],
        ),
      ),
      ...(body.byteLength === 0 ? {} : { body }),
    })
    const text = (await answered.text()).replaceAll(emulator.url, `http://${headers.host}`)
    if (method === 'POST' && /\/assets\?/.test(url) && answered.status === 201) {
      kept.set((JSON.parse(text) as { id: number }).id, body)
    }
    response.writeHead(answered.status, { 'content-type': answered.headers.get('content-type') ?? 'text/plain' })
    response.end(answered.status === 204 ? undefined : text)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  endings.add(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
