import net from 'node:net'

/**
 * Find a port that nobody uses now: the favoured one, else any.
 *
 * Another process can take it before the service does: then that start fails and the next one gets another.
 */
export async function freeLoopbackPort(favoured: number | undefined): Promise<number> {
  if (favoured === undefined) return bind(0)
  try {
    return await bind(favoured)
  } catch {
    // Somebody has it, or we may not: another one does as well.
    return bind(0)
  }
}

function bind(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: wanted, exclusive: true }, () => {
      const { port } = server.address() as net.AddressInfo
      server.close(() => resolve(port))
    })
  })
}
