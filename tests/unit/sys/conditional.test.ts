import { describe, expect, it } from 'vitest'
import { select } from '../../../src/sys/conditional.ts'

const file = { etag: '"a"', modified: new Date('2026-01-01T00:00:00Z'), sizeBytes: 100 }
const later = 'Fri, 02 Jan 2026 00:00:00 GMT'
const same = 'Thu, 01 Jan 2026 00:00:00 GMT'
const earlier = 'Wed, 31 Dec 2025 00:00:00 GMT'

describe('select', () => {
  it.each([
    ['nothing asked', {}, { status: 200, start: 0, end: 100 }],
    ['a range', { range: 'bytes=0-9' }, { status: 206, start: 0, end: 10 }],
    ['a range behind the end', { range: 'bytes=100-' }, { status: 416, start: 0, end: 0 }],
    ['the same tag', { 'if-none-match': '"a"' }, { status: 304, start: 0, end: 0 }],
    ['the same tag among others', { 'if-none-match': '"b", W/"a"' }, { status: 304, start: 0, end: 0 }],
    ['any tag', { 'if-none-match': '*' }, { status: 304, start: 0, end: 0 }],
    ['another tag', { 'if-none-match': '"b"' }, { status: 200, start: 0, end: 100 }],
    [
      'another tag beats the time',
      { 'if-none-match': '"b"', 'if-modified-since': later },
      { status: 200, start: 0, end: 100 },
    ],
    ['not modified since', { 'if-modified-since': same }, { status: 304, start: 0, end: 0 }],
    ['modified since', { 'if-modified-since': earlier }, { status: 200, start: 0, end: 100 }],
    ['no date', { 'if-modified-since': 'yesterday' }, { status: 200, start: 0, end: 100 }],
    ['a range of the same', { range: 'bytes=0-9', 'if-range': '"a"' }, { status: 206, start: 0, end: 10 }],
    ['a range of the same time', { range: 'bytes=0-9', 'if-range': same }, { status: 206, start: 0, end: 10 }],
    ['a range of something else', { range: 'bytes=0-9', 'if-range': '"b"' }, { status: 200, start: 0, end: 100 }],
    ['these bytes or none', { 'if-match': '"b", "a"' }, { status: 200, start: 0, end: 100 }],
    ['other bytes or none', { 'if-match': '"b", W/"a"' }, { status: 412, start: 0, end: 0 }],
    ['the bytes of then or none', { 'if-unmodified-since': same }, { status: 200, start: 0, end: 100 }],
    ['the bytes of before or none', { 'if-unmodified-since': earlier }, { status: 412, start: 0, end: 0 }],
  ])('answers %s', (_, headers, expected) => {
    expect(select(headers, file)).toEqual(expected)
  })
})
