import { Front } from '../../src/gate/front/front.ts'
import { systemTimers } from '../../src/gate/machine/timers.ts'
import { gateSettings } from './gate-settings.ts'

/*
 * A gate in a process of its own, so that what it takes can be measured: `node tests/support/gate-child.ts APP-PORT`. Tells its port, then
 * its memory, garbage collected, whenever it is asked.
 */
const front = new Front({
  settings: gateSettings,
  timers: systemTimers,
  random: Math.random,
  closesConnections: false,
})
const address = await front.listen({ kind: 'address', address: { kind: 'tcp', host: '127.0.0.1', port: 0 } })
front.serviceAt({ kind: 'tcp', host: '127.0.0.1', port: Number(process.argv[2]) })
process.on('message', () => {
  globalThis.gc?.()
  const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage()
  process.send!({ rssBytes, heapBytes, requests: front.counters().requests })
})
process.send!({ port: address.kind === 'tcp' ? address.port : 0 })
