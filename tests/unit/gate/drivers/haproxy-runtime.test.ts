import net from 'node:net'
import path from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { askHaproxy } from '../../../../src/gate/drivers/haproxy-runtime.ts'
import { tempFolder } from '../../../support/temp.ts'

let server: net.Server | undefined
afterEach(() => server?.close())

/** A runtime socket that answers each connection with the same text. */
async function answering(text: string): Promise<string> {
  const socket = path.join(tempFolder(), 'admin.sock')
  server = net.createServer(connection => connection.once('data', () => connection.end(text)))
  await new Promise<void>(resolve => server!.listen(socket, resolve))
  return socket
}

it('hands back what was answered, without the marks of a message that is none of an error', async () => {
  const socket = await answering('\n[4]: no need to change the addr\n\n')
  await expect(askHaproxy(socket, 'set server a/b addr 127.0.0.1 port 2')).resolves.toContain('no need')
})

it.each(['[3]: Permission denied', "\n[3]: Can't find backend.\n\n", 'a line\n[1]: it burns'])(
  'takes %j for a refusal',
  async text => {
    await expect(askHaproxy(await answering(text), 'set map m k v')).rejects.toMatchObject({
      code: 'GATE_SERVER_REFUSED',
    })
  },
)

it('says that nobody answers where no socket is', async () => {
  await expect(askHaproxy(path.join(tempFolder(), 'none'), 'show info')).rejects.toMatchObject({
    code: 'GATE_SERVER_UNREACHABLE',
    retryable: true,
  })
})
