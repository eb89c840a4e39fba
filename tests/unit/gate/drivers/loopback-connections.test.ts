import net from 'node:net'
import { expect, it } from 'vitest'
import { connectionInodes, countConnections } from '../../../../src/gate/drivers/loopback-connections.ts'

/** As the kernel shows it: 127.0.0.1 is 0100007F, port 4711 is 1267. */
const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1267 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0
   1: 0100007F:1267 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 12 1 0 20 4 30 10 -1
   2: 0100007F:C350 0100007F:1267 01 00000000:00000000 00:00000000 00000000    33        0 13 1 0 20 4 30 10 -1
   3: 0100007F:C351 0100007F:1267 02 00000000:00000000 00:00000000 00000000    33        0 14 1 0 20 4 30 10 -1
   4: 0100007F:C352 0100007F:1267 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0
   5: 0200007F:C352 0100007F:1268 01 00000000:00000000 03:00000000 00000000     0        0 15 3 0
`

it('finds those who are connected to a port, or about to be', () => {
  expect(connectionInodes(table, 4711)).toEqual(['13', '14'])
  expect(connectionInodes(table, 4712)).toEqual(['15'])
  expect(connectionInodes('', 4711)).toEqual([])
})

it('leaves out what this process has open itself', async () => {
  const server = net.createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  const client = net.connect(port, '127.0.0.1')
  await new Promise(resolve => client.once('connect', resolve))
  expect(countConnections(port)).toBe(0)
  client.destroy()
  server.close()
})
