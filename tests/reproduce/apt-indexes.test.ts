import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import type { AptPackage, AptPackageKey } from '../../src/repository/apt/state.ts'
import { listedPackage, type MadeSuites, makeSuites } from '../support/apt-suite.ts'

const nowMs = Date.parse('2026-11-21T10:11:12.345Z')
const amd64 = 'dists/stable/main/binary-amd64/Packages'

/** The index files under their plain names. */
function plainFiles(made: MadeSuites): Readonly<Record<string, string>> {
  const files = [...made.files].filter(([key]) => /\/(Packages|Contents-)[^/]*$/.test(key))
  return Object.fromEntries(files.map(([key, bytes]) => [key, digestOf(bytes)]))
}

/** A package by small numbers, so that changes meet. */
const somePackage = fc
  .record({
    name: fc.constantFrom('ark', 'notes', 'weave'),
    version: fc.constantFrom('1', '1.0', '2~rc.1', '2', '10'),
    architecture: fc.constantFrom('all', 'amd64', 'riscv64'),
    component: fc.constantFrom('main', 'extra'),
    stanzaPart: fc.constantFrom('a', 'b'),
    files: fc.subarray(['usr/bin/x', 'usr/bin/y y', 'opt/z ', 'ü']),
  })
  .map(({ name, version, stanzaPart, ...more }) => {
    const made = listedPackage(name, version, more)
    return { ...made, stanza: `${made.stanza} ${stanzaPart}\n` }
  })

const nameOf = (entry: AptPackageKey): string =>
  [entry.component, entry.package, entry.version, entry.architecture].join(' ')

describe('indexes', () => {
  it('come to the same bytes, however a suite came to have its packages', async () => {
    const change = fc.record({
      added: fc.array(somePackage, { maxLength: 5 }),
      gone: fc.array(fc.nat(), { maxLength: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 4 }), async changes => {
        const grown = await makeSuites({ contents: true }, nowMs)
        const packages = new Map<string, AptPackage>()
        for (const { added, gone } of changes) {
          const removed = gone.flatMap(at => [...packages.values()][at % Math.max(packages.size, 1)] ?? [])
          for (const entry of removed) packages.delete(nameOf(entry))
          for (const entry of added) packages.set(nameOf(entry), entry)
          await grown.publish('stable', { added, removed })
        }
        await grown.publish('stable', {})
        const before = plainFiles(grown)
        await grown.publish('stable', { added: [...packages.values()], rebuild: true })
        expect(plainFiles(grown)).toEqual(before)
      }),
      { numRuns: 60 },
    )
  })

  it('of thousands change in the chunk of the package that came, and in no other', async () => {
    const made = await makeSuites({ compressions: ['gz', 'zst'] }, nowMs)
    const packages = Array.from({ length: 2000 }, (_, at) => listedPackage(`package-${at}`, `1.${at % 7}`))
    await made.publish('stable', { added: packages })
    const before = made.files.get(`${amd64}.zst`)!
    const added = [listedPackage('package-1000', '2')]
    await made.publish('stable', { added })
    const after = made.files.get(`${amd64}.zst`)!
    const same = commonBytes(before, after) + commonBytes(before.toReversed(), after.toReversed())
    expect(same).toBeGreaterThan(before.byteLength * 0.6)
    const files = plainFiles(made)
    await made.publish('stable', { added: [...packages, ...added], rebuild: true })
    expect(plainFiles(made)).toEqual(files)
  })
})

function commonBytes(a: Uint8Array, b: Uint8Array): number {
  const end = a.findIndex((byte, at) => byte !== b[at])
  return end < 0 ? a.byteLength : end
}
