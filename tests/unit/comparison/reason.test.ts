import { describe, expect, it } from 'vitest'
import { firstDifferenceIn } from '../../../src/comparison/bytes.ts'
import { reasonOf, reasonOfOrder } from '../../../src/comparison/reason.ts'

const facts = { folders: ['/tmp/cutover-0123456789-AbCdEf'], machine: 'builder-7', nowSeconds: 1_790_000_000 }

function why(released: string | Buffer, rebuilt: string | Buffer): string {
  return reasonOf(firstDifferenceIn(Buffer.from(released as string), Buffer.from(rebuilt as string))!, facts)
}

/** Four bytes that count seconds, amid others. */
function stamped(seconds: number, order: 'LE' | 'BE'): Buffer {
  const bytes = Buffer.alloc(12, 7)
  if (order === 'LE') bytes.writeUInt32LE(seconds, 4)
  else bytes.writeUInt32BE(seconds, 4)
  return bytes
}

describe('the reason of a difference', () => {
  it.each([
    ['built 2026-09-21T10:00:00Z', 'built 2026-09-21T10:07:01Z'],
    ['on 2026-09-21, so', 'on 2027-01-02, so'],
    ['Mon, 21 Sep 2026 10:00:00', 'Tue, 22 Sep 2026 10:00:00'],
    ['compiled Sep 21 2026', 'compiled Oct  1 2026'],
    ['time=1789999000;', 'time=1790000000;'],
    ['{"at":1789999000123}', '{"at":1790000000456}'],
    ['"1789999000123456789"', '"1790000000123456789"'],
    ['at 10:22:33.', 'at 10:23:01.'],
    [stamped(1_789_000_000, 'LE'), stamped(1_790_000_000, 'LE')],
    [stamped(1_789_000_000, 'BE'), stamped(1_790_000_000, 'BE')],
  ])('is a time in %j', (released, rebuilt) => {
    expect(why(released, rebuilt)).toContain('the time of the build')
  })

  it.each([
    ['//# /tmp/cutover-0123456789-XyZ012/build/x.js', '//# /tmp/cutover-0123456789-AbCdEf/build/x.js', 'absolute path'],
    ['made on elsewhere', 'made on builder-7', 'name of the machine'],
    ['id 6fa459ea-ee8a-3ca4-894e-db77e160355e', 'id 16fd2706-8baf-433b-82eb-8c7fada847da', 'makes anew'],
    ['chunk.0123456789abcdef0.js', 'chunk.fedcba98765432100.js', 'makes anew'],
    ['seed 0.81726354', 'seed 0.12837465', 'makes anew'],
    ['\x1f\x8b\x08\0abcd\0\x03rest', '\x1f\x8b\x08\0efgh\0\x03rest', 'gzip header'],
    ['PK\x03\x04\x14\0\0\0\x08\0abcd', 'PK\x03\x04\x14\0\0\0\x08\0efgh', 'member of a zip'],
  ])('is told in %j', (released, rebuilt, reason) => {
    expect(why(Buffer.from(released, 'latin1'), Buffer.from(rebuilt, 'latin1'))).toContain(reason)
  })

  it.each([
    ['version 1.2.3', 'version 1.2.4'],
    ['port 8080', 'port 8081'],
    ['2026-09-21 one', '2026-09-21 two'],
    ['count 4', 'count 12345678901234567890'],
    [stamped(12, 'LE'), stamped(13, 'LE')],
  ])('is not made up for %j', (released, rebuilt) => {
    expect(why(released, rebuilt)).toBe('')
  })

  it('is the order when the same lines or words are there', () => {
    const order = (a: string, b: string) => reasonOfOrder({ released: Buffer.from(a), rebuilt: Buffer.from(b) })
    expect(order('b\na\nc\n', 'a\nb\nc\n')).toContain('the same lines')
    expect(order('["x", "y"]', '["y", "x"]')).toContain('the same words')
    expect(order('b\na\n', 'b\nc\n')).toBe('')
  })
})
