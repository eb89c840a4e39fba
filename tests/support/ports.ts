import net, { type AddressInfo } from 'node:net'

/** Find a port of this machine that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

/** Wait until something listens on a port of this machine. */
export async function untilListening(port: number): Promise<void> {
  for (let left = 500; ; left -= 1) {
    const answered = await new Promise<boolean>(resolve => {
      const socket = net.connect({ host: '127.0.0.1', port }, () => resolve(true))
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy())
    })
    if (answered) return
    if (left === 0) throw new Error(`nothing listens on port ${port}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
