import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { digestOf } from '../../../src/core/digest.ts'
import { pinRoot } from '../../../src/trust/client.ts'
import { tempFolder } from '../../support/temp.ts'

let requests = 0
const server = http.createServer((_request, response) => {
  requests += 1
  response.end('{}')
})

beforeAll(() => new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve)))
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

it('a server that has one more root each time is not asked for ever', async () => {
  const repositoryUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const pinned = pinRoot({ folder: tempFolder(), repositoryUrl, fingerprint: digestOf('another root') })
  await expect(pinned).rejects.toMatchObject({ code: 'TRUST_PIN' })
  expect(requests).toBe(257)
})
