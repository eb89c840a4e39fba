import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fixture } from '../../fixtures/make-repository.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { type ProofReport, proofPrefix, residentBytes, startProofLoad } from '../support/gate-proof.ts'
import { isLong } from '../support/kill-points.ts'
import { type BuiltCutover, builtCutover } from '../support/killed-cutover.ts'
import { needTool } from '../support/tools.ts'
import { startServingBy, until } from '../support/toy-prefix.ts'

/*
 * What the gate is for: upgrades in a row under every kind of client, and what those met, counted on their side. `npm run test:long` makes
 * a hundred of each fixture.
 */

const upgrades = isLong ? 100 : 2
const mebibyte = 1024 * 1024
const mib = (bytes: number) => Math.round(bytes / mebibyte)

let cutover: BuiltCutover

beforeAll(async () => {
  cutover = await builtCutover()
})

const figures: string[] = []
afterAll(() => console.log(figures.join('\n')))

describe.each([
  ['notes', 'node'],
  ['weave', 'python3'],
] as const)('%s, upgraded again and again under load', (fixture: Fixture, tool) => {
  it.skipIf(!needTool(tool, 'wrk'))(
    'fails no request',
    async () => {
      const { paths, versions, install } = await proofPrefix(cutover, fixture)
      const serving = await startServingBy(cutover.program, paths.root)
      await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
      const load = await startProofLoad(fixture, serving.url)
      let report: ProofReport | undefined
      try {
        const resident: number[] = []
        for (let count = 1; count <= upgrades; count += 1) {
          const version = versions[count % 2]!
          const end = await cutover.run(install(version))
          expect(end, `upgrade ${count}: ${end.stdout}`).toMatchObject({ exitCode: 0 })
          expect(currentVersion(paths)).toBe(version)
          resident.push(residentBytes(serving.child.pid!))
        }
        const { status } = await serving.client.request({ kind: 'status' })
        report = await load.stop()
        figures.push(
          `${fixture}: ${upgrades} upgrades, ${report.answered} answered (${JSON.stringify(report.parts)}), ` +
            `${report.failures.length} failures, ${status.counters.held} held, longest ${status.counters.longestHoldMs} ms, ` +
            `gate ${[0, 0.25, 0.5, 0.75].map(part => mib(resident[Math.floor(upgrades * part)]!)).join(', ')}, ${mib(resident.at(-1)!)} MiB`,
        )
        expect(report.failures).toEqual([])
        expect(status.counters.held).toBeGreaterThan(upgrades)
        expect(status.counters.backedOff).toBe(0)
        for (const [part, answered] of Object.entries(report.parts)) expect(answered, part).toBeGreaterThan(0)
        // By its half the heap has grown to what the load asks for; what is lost with each upgrade would go on.
        if (isLong) expect(resident.at(-1)! - resident[upgrades / 2]!).toBeLessThan(32 * mebibyte)
      } finally {
        if (report === undefined) await load.stop()
        expect(await serving.end('SIGTERM')).toBe(0)
      }
    },
    upgrades * 30_000,
  )
})
