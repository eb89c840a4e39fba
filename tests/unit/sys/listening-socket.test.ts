import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { listeningAddress } from '../../../src/sys/listening-socket.ts'
import { tempFolder } from '../../support/temp.ts'

const servers: net.Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** The descriptors of all sockets that a listener opens. */
async function opened(options: net.ListenOptions): Promise<{ readonly descriptors: number[]; readonly port: number }> {
  const before = sockets()
  const server = net.createServer()
  servers.push(server)
  await new Promise<void>(resolve => server.listen(options, resolve))
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return { descriptors: sockets().filter(descriptor => !before.includes(descriptor)), port }
}

function sockets(): number[] {
  return fs
    .readdirSync('/proc/self/fd')
    .map(Number)
    .filter(descriptor => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('socket:')
      } catch {
        // The folder itself, which is closed again.
        return false
      }
    })
}

describe('listeningAddress', () => {
  it.each(['127.0.0.1', '0.0.0.0', '::1', '::'])('tells host and port of a socket at %s', async host => {
    const { descriptors, port } = await opened({ host, port: 0 })
    expect(descriptors.map(listeningAddress)).toEqual([{ kind: 'tcp', host, port }])
  })

  it('tells the path of a unix socket, blanks in it included', async () => {
    const file = path.join(tempFolder(), 'a b.sock')
    const { descriptors } = await opened({ path: file })
    expect(descriptors.map(listeningAddress)).toEqual([{ kind: 'unix', path: file }])
  })

  it('knows no address of what does not listen, and of what is no socket', async () => {
    const { port } = await opened({ host: '127.0.0.1', port: 0 })
    const before = sockets()
    const client = net.connect(port, '127.0.0.1')
    await new Promise(resolve => client.once('connect', resolve))
    const [descriptor] = sockets().filter(each => !before.includes(each))
    expect(listeningAddress(descriptor!)).toBeUndefined()
    client.destroy()
    const file = fs.openSync(import.meta.filename, 'r')
    expect(listeningAddress(file)).toBeUndefined()
    fs.closeSync(file)
    expect(listeningAddress(file)).toBeUndefined()
  })
})
