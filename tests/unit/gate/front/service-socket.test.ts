import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { connectTarget } from '../../../../src/gate/front/service-socket.ts'
import { accepts } from '../../../../src/gate/http1/upstream.ts'
import { tempFolder } from '../../../support/temp.ts'

const servers: net.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(file: string): Promise<net.Server> {
  const server = net.createServer(socket => void socket.destroy()).listen(file)
  servers.push(server)
  await once(server, 'listening')
  return server
}

it('leaves an address as it is where the application is ours', async () => {
  const socket = path.join(tempFolder(), 'service.sock')
  expect(connectTarget({ kind: 'tcp', host: '127.0.0.1', port: 80 })).toEqual({ host: '127.0.0.1', port: 80 })
  expect(connectTarget({ kind: 'unix', path: socket })).toEqual({ socketPath: socket })
})

describe.skipIf(process.geteuid?.() !== 0)('the socket of another user', () => {
  function othersFolder() {
    const run = tempFolder()
    const folder = path.join(run, 'service')
    fs.mkdirSync(folder)
    fs.chownSync(folder, 65_534, 65_534)
    return { run, address: { kind: 'unix', path: path.join(folder, 'service.sock') } as const }
  }

  it('is reached, also the next one under the same name', async () => {
    const { address } = othersFolder()
    expect(await accepts(address, 1000)).toBe(false)
    for (let round = 0; round < 2; round += 1) {
      const server = await listen(address.path)
      expect(await accepts(address, 1000)).toBe(true)
      server.close()
      fs.rmSync(address.path, { force: true })
      expect(await accepts(address, 1000)).toBe(false)
    }
  })

  it('does not lead to the socket that a link in its place names', async () => {
    const { run, address } = othersFolder()
    const roots = path.join(run, 'roots.sock')
    await listen(roots)
    fs.symlinkSync(roots, address.path)
    expect(await accepts(address, 1000)).toBe(false)
    fs.rmSync(address.path)
    await listen(address.path)
    expect(await accepts(address, 1000)).toBe(true)
    fs.rmSync(address.path)
    fs.symlinkSync(roots, address.path)
    expect(await accepts(address, 1000)).toBe(false)
  })
})
