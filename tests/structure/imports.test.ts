import { isBuiltin } from 'node:module'
import { afterAll, describe, expect, it } from 'vitest'
import { openSources } from '../support/sources.ts'
import { brokenRule, effectUsers, folderOf, isPure } from './import-rules.ts'

const sources = openSources()
afterAll(sources.close)
const byFile = new Map(sources.files.map(source => [source.file, source]))

/** What runs when a file is imported, with the way there; types are stripped before. */
function reachable(start: string, follow: 'static' | 'static and dynamic'): ReadonlyMap<string, string> {
  const ways = new Map([[start, start]])
  const queue = [start]
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    for (const edge of byFile.get(file)?.imports ?? []) {
      if (edge.typeOnly || edge.file === undefined || ways.has(edge.file)) continue
      if (edge.dynamic && follow === 'static') continue
      ways.set(edge.file, `${ways.get(file)} → ${edge.file}`)
      queue.push(edge.file)
    }
  }
  return ways
}

describe('imports', () => {
  it('go in the directions of the table', () => {
    const broken = sources.files.flatMap(source =>
      source.imports.flatMap(edge => {
        const rule = edge.file === undefined ? undefined : brokenRule(source.file, edge.file)
        return rule === undefined ? [] : [`${source.file}:${edge.line} imports ${edge.file}: ${rule}`]
      }),
    )
    expect(broken).toEqual([])
  })

  it('name files that exist', () => {
    const missing = sources.files.flatMap(source =>
      source.imports
        .filter(edge => edge.file?.startsWith('src/') && !byFile.has(edge.file))
        .map(edge => `${source.file}:${edge.line} imports ${edge.file}`),
    )
    expect(missing).toEqual([])
  })

  it('are told apart by the rule', () => {
    expect(brokenRule('src/core/error.ts', 'src/sys/files.ts')).toContain('never upward')
    expect(brokenRule('src/payload/pack.ts', 'src/envelope/deb.ts')).toContain('payload/ may import no other domain')
    expect(brokenRule('src/prefix/plan.ts', 'src/gate/machine.ts')).toContain('meet in flow/')
    expect(brokenRule('src/envelope/deb.ts', 'src/payload/pack.ts')).toBeUndefined()
    expect(brokenRule('src/cli/cut.ts', 'src/sys/clock.ts')).toBeUndefined()
  })

  it('keep the release side off the nodes: bin/cutover.ts reaches no source, build, envelope or repository', () => {
    const strangers = [...reachable('src/bin/cutover.ts', 'static and dynamic')].filter(([file]) =>
      /^src\/(source|build|envelope|repository)\//.test(file),
    )
    expect(strangers.map(([, way]) => way)).toEqual([])
  })

  it('make no circle', () => {
    const circles = sources.files.flatMap(source =>
      source.imports
        .filter(edge => !edge.typeOnly && !edge.dynamic && edge.file !== undefined)
        .flatMap(edge => reachable(edge.file!, 'static').get(source.file) ?? []),
    )
    expect(circles).toEqual([])
  })

  it('leave pure files pure: nothing of sys/ and no module with effects', () => {
    const impure = sources.files
      .filter(source => isPure(source.file))
      .flatMap(source =>
        source.imports
          .filter(edge => !edge.typeOnly)
          .filter(edge => edge.file?.startsWith('src/sys/') || edge.specifier in effectUsers)
          .map(edge => `${source.file}:${edge.line} imports ${edge.specifier}`),
      )
    expect(impure).toEqual([])
  })

  it('load modules with effects only where the table says so', () => {
    const misplaced = sources.files.flatMap(source =>
      source.imports
        .filter(edge => !edge.typeOnly)
        .filter(edge => effectUsers[edge.specifier]?.includes(folderOf(source.file)) === false)
        .map(edge => `${source.file}:${edge.line} imports ${edge.specifier}: go through sys/`),
    )
    expect(misplaced).toEqual([])
  })

  it('name what Node brings with its prefix', () => {
    const bare = sources.files.flatMap(source =>
      source.imports.filter(edge => isBuiltin(edge.specifier) && !edge.specifier.startsWith('node:')),
    )
    expect(bare).toEqual([])
  })
})
