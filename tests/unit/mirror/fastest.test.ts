import { describe, expect, it } from 'vitest'
import { fastestFirst } from '../../../src/mirror/fastest.ts'
import type { Mirror } from '../../../src/mirror/mirror.ts'
import type { OpenOptions } from '../../../src/sys/http.ts'
import { MemoryPlace } from '../../support/memory-place.ts'
import { manifestOf, wantedOf } from '../../support/wanted.ts'

const bytes = Buffer.alloc(100_000, 'a')
const wanted = [wantedOf(manifestOf(bytes))]
const { signal } = new AbortController()

/** A mirror that answers when it is told to. */
class HeldMirror implements Mirror {
  readonly name: string
  readonly place = new MemoryPlace(bytes)
  readonly #held = Promise.withResolvers<void>()
  readonly asked = Promise.withResolvers<void>()

  constructor(name: string) {
    this.name = name
  }

  answer(): void {
    this.#held.resolve()
  }

  locate() {
    return [{ name: this.name, isLocal: false, open: (options: OpenOptions) => this.#open(options) }]
  }

  async #open(options: OpenOptions) {
    this.asked.resolve()
    await Promise.race([
      this.#held.promise,
      new Promise((_, reject) => options.signal?.addEventListener('abort', () => reject(options.signal?.reason))),
    ])
    return await this.place.open(options)
  }
}

const names = (mirrors: readonly Mirror[]) => mirrors.map(({ name }) => name)

describe('fastestFirst', () => {
  it('puts mirrors in the order in which they answer, asked at once and for little', async () => {
    const [a, b, c] = [new HeldMirror('a'), new HeldMirror('b'), new HeldMirror('c')]
    const ordering = fastestFirst([a, b, c], wanted, { signal, limits: { mostMs: 60_000, factor: 1e9 } })
    await Promise.all([a, b, c].map(({ asked }) => asked.promise))
    for (const each of [c, a, b]) {
      each.answer()
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(names(await ordering)).toEqual(['c', 'a', 'b'])
    expect([a, b, c].map(({ place }) => [place.requests, place.openAnswers])).toEqual(
      [a, b, c].map(() => [['0-16384'], 0]),
    )
  })

  it('waits for none that takes long, and keeps those in their order', async () => {
    const [a, b, c] = [new HeldMirror('a'), new HeldMirror('b'), new HeldMirror('c')]
    c.answer()
    const found = await fastestFirst([a, b, c], wanted, { signal, limits: { mostMs: 60_000, factor: 0 } })
    expect(names(found)).toEqual(['c', 'a', 'b'])
    const none = await fastestFirst([a, b], wanted, { signal, limits: { mostMs: 1, factor: 1 } })
    expect(names(none)).toEqual(['a', 'b'])
  })

  it('puts those last that have nothing, fail or send nothing', async () => {
    const [missing, failing, empty, whole] = ['missing', 'failing', 'empty', 'whole'].map(name => new HeldMirror(name))
    for (const each of [missing!, failing!, empty!, whole!]) each.answer()
    missing!.place.behaviour.isMissing = true
    Object.assign(failing!.place.behaviour, { breaksLeft: 1, breakAfterBytes: 0 })
    empty!.place.bytes = Buffer.alloc(0)
    Object.assign(whole!.place.behaviour, { ignoresRanges: true, isEndless: true })
    const elsewhere: Mirror = { name: 'elsewhere', locate: () => [] }
    const found = await fastestFirst([elsewhere, missing!, failing!, empty!, whole!], wanted, { signal })
    expect(names(found)).toEqual(['whole', 'elsewhere', 'missing', 'failing', 'empty'])
    expect(whole!.place.openAnswers).toBe(0)
  })

  it('ends when it is told to', async () => {
    const stop = new AbortController()
    const ordering = fastestFirst([new HeldMirror('a')], wanted, { signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(ordering).rejects.toThrow('enough')
  })
})
