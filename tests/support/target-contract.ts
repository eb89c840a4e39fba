import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Digest, digestOf } from '../../src/core/digest.ts'
import type { Content, Lease, TargetReader, TargetWriter } from '../../src/repository/target.ts'

/** A kind of target, as the contract opens it. */
export interface TargetUnderTest {
  /** Open the same place anew: what another process would do. Leases of both must meet. */
  readonly open: () => TargetWriter
  /** What is worth sending in a way of its own; larger than one piece. */
  readonly largeBytes: number
}

/** Make the content of an object. */
export function contentOf(bytes: Buffer | string, changes: Partial<Content> = {}): Content {
  const buffer = Buffer.from(bytes)
  return {
    digest: digestOf(buffer),
    sizeBytes: buffer.byteLength,
    mediaType: 'text/plain',
    open: async function* () {
      for (let start = 0; start < buffer.byteLength; start += 100_000) yield buffer.subarray(start, start + 100_000)
    },
    ...changes,
  }
}

/** Read an object to its end. */
export async function readAll(target: TargetReader, key: string): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of target.read(key)) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** Hold a kind of target to what {@link TargetWriter} promises. `start` is called when its tests begin. */
export function targetContract(kind: string, start: () => Promise<TargetUnderTest>): void {
  describe(`the contract of targets: ${kind}`, () => {
    let started: Promise<TargetUnderTest> | undefined
    const use = async () => {
      started ??= start()
      const tested = await started
      // Each test has its keys for itself.
      return { ...tested, target: tested.open(), key: `t${randomBytes(6).toString('hex')}` }
    }

    it('stores an object, and another opener reads it once it is durable', async () => {
      const { target, open, key } = await use()
      expect(await target.putNew(`${key}/a/b+c~1%25.txt`, contentOf('x'))).toBe('written')
      await target.sync()
      const other = open()
      expect(await other.head(`${key}/a/b+c~1%25.txt`)).toEqual({ sizeBytes: 1, digest: digestOf('x') })
      expect(await other.get(`${key}/a/b+c~1%25.txt`, 1)).toEqual(Buffer.from('x'))
      expect((await readAll(other, `${key}/a/b+c~1%25.txt`)).toString()).toBe('x')
    })

    it('knows what it wrote before it is durable', async () => {
      const { target, key } = await use()
      await target.putNew(key, contentOf('x'))
      expect(await target.putNew(key, contentOf('x'))).toBe('unchanged')
      expect(await target.head(key)).toEqual({ sizeBytes: 1, digest: digestOf('x') })
      expect(await target.get(key, 1)).toEqual(Buffer.from('x'))
      expect(await target.replace(key, contentOf('y'), digestOf('x'))).toBe('written')
      expect((await readAll(target, key)).toString()).toBe('y')
    })

    it('stores nothing, and what is large, whole', async () => {
      const { target, open, key, largeBytes } = await use()
      const large = randomBytes(largeBytes)
      const told: number[] = []
      expect(await target.putNew(`${key}/empty`, contentOf(''))).toBe('written')
      expect(await target.putNew(`${key}/large`, contentOf(large, { onBytes: bytes => told.push(bytes) }))).toBe(
        'written',
      )
      await target.sync()
      expect(told.at(-1)).toBe(largeBytes)
      expect(told).toEqual(told.toSorted((a, b) => a - b))
      const other = open()
      expect(await other.head(`${key}/empty`)).toEqual({ sizeBytes: 0, digest: digestOf('') })
      expect(await other.head(`${key}/large`)).toEqual({ sizeBytes: largeBytes, digest: digestOf(large) })
      expect(digestOf(await readAll(other, `${key}/large`))).toBe(digestOf(large))
      expect(await other.putNew(`${key}/large`, contentOf(large))).toBe('unchanged')
      large[0] = (large[0]! + 1) % 256
      await expect(other.putNew(`${key}/large`, contentOf(large))).rejects.toMatchObject({
        code: 'REPOSITORY_CONFLICT',
      })
    })

    it('never puts other bytes in the place of an object', async () => {
      const { target, open, key } = await use()
      await target.putNew(key, contentOf('x'))
      await target.sync()
      for (const again of [target, open()]) {
        await expect(again.putNew(key, contentOf('y'))).rejects.toMatchObject({
          code: 'REPOSITORY_CONFLICT',
          details: { found: digestOf('x'), expected: digestOf('y') },
        })
      }
      expect(await target.get(key, 1)).toEqual(Buffer.from('x'))
    })

    it('replaces only what it expects', async () => {
      const { target, open, key } = await use()
      const replace = (text: string, expected: Digest | undefined) => target.replace(key, contentOf(text), expected)
      await expect(replace('y', digestOf('z'))).rejects.toMatchObject({ code: 'REPOSITORY_CHANGED' })
      expect(await replace('x', undefined)).toBe('written')
      await target.sync()
      await expect(replace('y', undefined)).rejects.toMatchObject({ code: 'REPOSITORY_CHANGED' })
      await expect(replace('y', digestOf('z'))).rejects.toMatchObject({ code: 'REPOSITORY_CHANGED' })
      expect(await replace('x', digestOf('whatever it follows'))).toBe('unchanged')
      expect(await replace('y', digestOf('x'))).toBe('written')
      await target.sync()
      expect(await open().get(key, 1)).toEqual(Buffer.from('y'))
    })

    it('gives one key the bytes of another, when they are its own', async () => {
      const { target, key } = await use()
      await target.putNew(`${key}/one`, contentOf('x'))
      const twin = contentOf('x', { sameAs: `${key}/one` })
      const stranger = contentOf('y', { sameAs: `${key}/one` })
      const orphan = contentOf('z', { sameAs: `${key}/none` })
      expect(await target.putNew(`${key}/two`, twin)).not.toBe('unchanged')
      expect(await target.replace(`${key}/three`, twin, undefined)).not.toBe('unchanged')
      expect(await target.putNew(`${key}/four`, stranger)).toBe('written')
      expect(await target.putNew(`${key}/five`, orphan)).toBe('written')
      await target.sync()
      const texts = await Promise.all(['two', 'three', 'four', 'five'].map(name => readAll(target, `${key}/${name}`)))
      expect(texts.join('')).toBe('xxyz')
    })

    it('removes what is there and what is not, and takes it again', async () => {
      const { target, open, key } = await use()
      await target.putNew(`${key}/a/b`, contentOf('x'))
      await target.sync()
      await target.remove(`${key}/a/b`)
      await target.remove(`${key}/a/b`)
      await target.remove(`${key}/never/there`)
      await target.sync()
      expect(await open().head(`${key}/a/b`)).toBeUndefined()
      expect(await target.putNew(`${key}/a/b`, contentOf('y'))).toBe('written')
      await target.sync()
      expect(await open().get(`${key}/a/b`, 1)).toEqual(Buffer.from('y'))
    })

    it('says that there is nothing, and that there is too much', async () => {
      const { target, key } = await use()
      expect(await target.head(`${key}/a`)).toBeUndefined()
      expect(await target.get(`${key}/a`, 1)).toBeUndefined()
      await expect(readAll(target, `${key}/a`)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' })
      await target.putNew(`${key}/a`, contentOf('xyz'))
      await expect(target.get(`${key}/a`, 2)).rejects.toMatchObject({ code: 'REPOSITORY_DAMAGED' })
    })

    it.each(['../a', '/a', 'a/../../b', 'a//b', ''])('refuses the key %j', async key => {
      const { target } = await use()
      await expect(target.putNew(key, contentOf('x'))).rejects.toMatchObject({ code: 'PATH_UNSAFE' })
      await expect((async () => target.get(key, 1))()).rejects.toMatchObject({ code: 'PATH_UNSAFE' })
      await expect((async () => target.remove(key))()).rejects.toMatchObject({ code: 'PATH_UNSAFE' })
    })

    it.each([
      ['other', 'xyz'],
      ['fewer', 'x'],
      ['more', 'xyzxyz'],
    ])('stores nothing when there are %s bytes than it was told', async (_, text) => {
      const { target, key } = await use()
      const wrong = { ...contentOf('abc'), open: contentOf(text).open }
      await expect(target.putNew(key, wrong)).rejects.toMatchObject({ code: 'RELEASE_DAMAGED' })
      await expect(target.replace(key, wrong, undefined)).rejects.toMatchObject({ code: 'RELEASE_DAMAGED' })
      await target.sync()
      expect(await target.head(key)).toBeUndefined()
    })

    it('stops when it is told to, and stores nothing', async () => {
      const { target, key } = await use()
      const stop = new AbortController()
      const content = contentOf('abc', {
        signal: stop.signal,
        open: async function* () {
          yield Buffer.from('a')
          stop.abort(new Error('enough'))
          yield Buffer.from('bc')
        },
      })
      await expect(target.putNew(key, content)).rejects.toThrow('enough')
      await target.sync()
      expect(await target.head(key)).toBeUndefined()
    })

    it('shows readers one whole object or the other while it is replaced', async () => {
      const { target, open, key } = await use()
      const objects = ['a', 'b', 'c', 'd', 'e', 'f'].map(letter => Buffer.alloc(300_000, letter))
      await target.replace(key, contentOf(objects[0]!), undefined)
      await target.sync()
      const whole = new Set(objects.map(bytes => digestOf(bytes)))
      const seen: Digest[] = []
      let isDone = false
      const reader = open()
      const reading = (async () => {
        while (!isDone) {
          seen.push(digestOf((await reader.get(key, 1_000_000))!))
          // Let the writer go on, too.
          await new Promise(resolve => setImmediate(resolve))
        }
      })()
      for (const [index, bytes] of objects.slice(1).entries()) {
        await target.replace(key, contentOf(bytes), digestOf(objects[index]!))
        await target.sync()
      }
      isDone = true
      await reading
      expect(seen.length).toBeGreaterThan(0)
      expect(seen.filter(digest => !whole.has(digest))).toEqual([])
    })

    it('lets one of two writers make an object', async () => {
      const { open, key } = await use()
      const put = async (text: string) => {
        const target = open()
        await target.putNew(key, contentOf(text))
        await target.sync()
      }
      await Promise.all([put('same'), put('same'), put('same')])
      expect((await readAll(open(), key)).toString()).toBe('same')
    })

    it('leases itself to one publisher at a time', async () => {
      const { target, open } = await use()
      const first = await target.lease('the first', { waitMs: 0 })
      const second = open()
      await expect(second.lease('the second', { waitMs: 0 })).rejects.toMatchObject({
        code: 'LOCKED',
        message: expect.stringContaining('the first'),
      })
      first.assertHeld()
      await first.release()
      const next = await second.lease('the second', { waitMs: 0 })
      await expect(target.lease('the third', { waitMs: 0 })).rejects.toMatchObject({ code: 'LOCKED' })
      await next.release()
    })

    it('leases itself to those who wait, one after the other', async () => {
      const { open } = await use()
      let holders = 0
      const publish = async (name: string) => {
        const lease = await open().lease(name, { waitMs: 60_000 })
        holders += 1
        expect(holders).toBe(1)
        await new Promise(resolve => setImmediate(resolve))
        lease.assertHeld()
        holders -= 1
        await lease.release()
      }
      await Promise.all(['a', 'b', 'c'].map(publish))
    })

    it('lets a publisher stop waiting', async () => {
      const { target, open } = await use()
      const held: Lease = await target.lease('the first', { waitMs: 0 })
      const stop = new AbortController()
      const waiting = open().lease('the second', { waitMs: 60_000, signal: stop.signal })
      stop.abort(new Error('enough'))
      await expect(waiting).rejects.toThrow('enough')
      await held.release()
    })
  })
}
