import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openIdle, startGateProcess } from '../support/gate-process.ts'
import { compare, startReaders } from '../support/http-oracles.ts'
import { requestStreams } from '../support/http-streams.ts'
import { recordingApp } from '../support/recording-app.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { until } from '../support/toy-prefix.ts'

/*
 * What takes long with a gate: `npm run test:long`. The ordinary suite has a sample of each in tests/conformance/http-*.test.ts.
 */
const isLong = process.env['CUTOVER_TEST_LONG'] === '1'

describe.skipIf(!isLong || !needTool('prlimit', 'nginx', 'haproxy'))('a gate', () => {
  it('keeps 10,000 idle connections in flat memory, and serves others meanwhile', async () => {
    // Both ends of each connection are of this machine; the gate's process inherits the limit.
    execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=20000:'])
    const app = await recordingApp()
    onTestFinished(() => app.close())
    const gate = await startGateProcess(app.port)
    onTestFinished(() => gate.close())
    for (const socket of await openIdle(gate.port, 500)) socket.destroy()
    const count = 10_000
    const before = await gate.memory()
    const sockets = await openIdle(gate.port, count)
    const after = await gate.memory()
    expect((after.rssBytes - before.rssBytes) / count).toBeLessThan(16 * 1024)
    for (let round = 0; round < 5; round += 1) for (const each of await openIdle(gate.port, 1000)) each.destroy()
    // What came and went leaves nothing behind, once the gate has heard that it went.
    const later = await until(async () => {
      const now = await gate.memory()
      return (now.heapBytes - after.heapBytes) / 5000 < 200 ? now : undefined
    })
    expect(later.requests - after.requests).toBe(5000)
    for (const socket of sockets) socket.destroy()
  })

  it('reads the same requests as Node, nginx and HAProxy out of 5,000 streams', async () => {
    const readers = await startReaders(tempFolder())
    onTestFinished(() => readers.close())
    await fc.assert(
      fc.asyncProperty(requestStreams, async bytes => {
        expect((await compare(readers, bytes)).found).toEqual([])
      }),
      { numRuns: 5000 },
    )
  })
})
