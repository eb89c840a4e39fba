import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { probeRelease, type ServedRelease } from '../../../src/flow/serve-release.ts'
import type { Address } from '../../../src/gate/front/address.ts'
import { parseNodeRecipe } from '../../../src/recipe/node.ts'

const server = http.createServer((_request, response) => {
  response.setHeader('x-version', '1.1.0')
  response.end('up')
})
let address: Address
beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  address = { kind: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port }
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** Ask a release of version 1.1.0 in the way that its recipe says. */
function probe(
  health: Record<string, string | object>,
  more: Readonly<Record<string, string>> = {},
  role: ServedRelease['role'] = undefined,
) {
  const recipe = parseNodeRecipe({
    schema: 1,
    name: 'toy',
    node: { health: health as never },
    environments: { here: {} },
  })
  const values = { version: '1.1.0', ...more }
  const release: ServedRelease = {
    version: '1.1.0',
    folder: '/',
    node: recipe.node,
    values,
    secrets: { TOKEN: 'hunter2' },
    role,
    account: undefined,
  }
  return probeRelease(release, address, { PATH: '/usr/bin:/bin' })
}

it('fills in what the recipe wants to see', async () => {
  const header = { name: 'X-Version', contains: '${version}' }
  expect(await probe({ http: { headers: [header] } })).toMatchObject({ ok: true })
  expect(await probe({ http: { headers: [header] } }, { version: '1.2.0' })).toMatchObject({ ok: false })
})

it('wants to see what its role says besides', async () => {
  const recipe = { environment: {}, mounts: {}, health: { contains: '${role}' }, host: 'localhost' }
  const inRole = (name: string) => probe({ http: {} }, { role: name }, { name, slot: 'blue', recipe })
  expect(await inRole('up')).toMatchObject({ ok: true })
  expect(await inRole('down')).toMatchObject({ ok: false })
})

it('connects to the listening service, or to where the recipe says', async () => {
  const { port } = address as { readonly port: number }
  expect(await probe({ tcp: 'gate' })).toMatchObject({ ok: true })
  expect(await probe({ tcp: 'localhost:${PORT}' }, { PORT: String(port) })).toMatchObject({ ok: true })
  expect(await probe({ tcp: 'unix:/nowhere/socket' })).toMatchObject({ ok: false })
})

it('runs a command with its own environment', async () => {
  const command = { run: 'test "$WANTED" = 1.1.0', environment: { WANTED: '${version}' } }
  expect(await probe({ command })).toMatchObject({ ok: true })
})

it('tells no secret that a command prints', async () => {
  const { ok, evidence } = await probe({ command: { run: 'echo no entry for hunter2; exit 1' } })
  expect(ok).toBe(false)
  expect(evidence).toBe('exit code 1: no entry for ***')
})

it('takes a release at its word that names no way', async () => {
  expect(await probe({})).toMatchObject({ ok: true })
})
