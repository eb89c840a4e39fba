import { expect, it } from 'vitest'
import { startLoad } from '../support/load.ts'
import { tempFolder } from '../support/temp.ts'
import { startServing, toyPrefix, until, upgrade } from '../support/toy-prefix.ts'

for (const mode of ['proxy', 'handover'] as const) {
  it(`upgrades under load without a failed request, POSTs included (${mode})`, async () => {
    const prefix = toyPrefix(tempFolder(), { mode })
    prefix.addRelease('1.0.0')
    prefix.addRelease('1.1.0')
    prefix.switchTo('1.0.0')
    const serving = await startServing(prefix.root)
    try {
      await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
      const load = startLoad(serving.url, 16)
      await upgrade(serving, prefix, '1.1.0')
      await until(async () => (await serving.client.request({ kind: 'status' })).status.counters.heldNow === 0)
      await upgrade(serving, prefix, '1.0.0')
      const report = await load.stop()
      expect(report.failures).toEqual([])
      // Those who held for the application tell what they did a moment later.
      const status = await until(async () => {
        const { status } = await serving.client.request({ kind: 'status' })
        return status.counters.released === status.counters.held && status
      })
      expect(report.versions.toSorted()).toEqual(['1.0.0', '1.1.0'])
      expect(status.counters.held).toBeGreaterThan(0)
      expect(status.counters.backedOff).toBe(0)
      expect(status.version).toBe('1.0.0')
    } finally {
      expect(await serving.end('SIGTERM')).toBe(0)
    }
  })
}
