import { bypassField } from '../front/bypass.ts'

/** A bit for each field that a gateway has to know; a set of them is a number. */
export const fieldBits = {
  host: 1 << 0,
  connection: 1 << 1,
  contentLength: 1 << 2,
  transferEncoding: 1 << 3,
  expect: 1 << 4,
  upgrade: 1 << 5,
  te: 1 << 6,
  trailer: 1 << 7,
  keepAlive: 1 << 8,
  proxyConnection: 1 << 9,
  http2Settings: 1 << 10,
  forwarded: 1 << 11,
  forwardedFor: 1 << 12,
  forwardedHost: 1 << 13,
  forwardedProto: 1 << 14,
  realIp: 1 << 15,
  contentType: 1 << 16,
  /** Written with `_` where a field that is known has `-`: applications that read fields from CGI variables cannot tell them apart. */
  lookalike: 1 << 17,
  cookie: 1 << 18,
  bypass: 1 << 19,
} as const

const known: readonly (readonly [string, number])[] = [
  ['host', fieldBits.host],
  ['connection', fieldBits.connection],
  ['content-length', fieldBits.contentLength],
  ['transfer-encoding', fieldBits.transferEncoding],
  ['expect', fieldBits.expect],
  ['upgrade', fieldBits.upgrade],
  ['te', fieldBits.te],
  ['trailer', fieldBits.trailer],
  ['keep-alive', fieldBits.keepAlive],
  ['proxy-connection', fieldBits.proxyConnection],
  ['http2-settings', fieldBits.http2Settings],
  ['forwarded', fieldBits.forwarded],
  ['x-forwarded-for', fieldBits.forwardedFor],
  ['x-forwarded-host', fieldBits.forwardedHost],
  ['x-forwarded-proto', fieldBits.forwardedProto],
  ['x-real-ip', fieldBits.realIp],
  ['content-type', fieldBits.contentType],
  ['cookie', fieldBits.cookie],
  [bypassField, fieldBits.bypass],
]

interface KnownName {
  readonly codes: Uint8Array
  readonly bit: number
}

const longest = Math.max(...known.map(([name]) => name.length))

/** By length, because most fields share it with none or one of these. */
const byLength: readonly (readonly KnownName[])[] = Array.from({ length: longest + 1 }, (_, length) =>
  known
    .filter(([name]) => name.length === length)
    .map(([name, bit]) => ({ codes: Uint8Array.from(Buffer.from(name)), bit })),
)

/** Tell which of the known fields a name is, in whatever case: its bit, or 0. Pre: it is a token. */
export function fieldBitOf(text: string, start: number, end: number): number {
  const length = end - start
  if (length > longest) return 0
  const candidates = byLength[length]!
  for (let index = 0; index < candidates.length; index += 1) {
    const { codes, bit } = candidates[index]!
    const found = compareName(text, start, codes)
    if (found === 'same') return bit
    if (found === 'alike') return fieldBits.lookalike
  }
  return 0
}

const underscore = 0x5f
const hyphen = 0x2d

function compareName(text: string, start: number, codes: Uint8Array): 'same' | 'alike' | 'other' {
  let isSame = true
  for (let index = 0; index < codes.length; index += 1) {
    const code = text.charCodeAt(start + index)
    // In tokens, the bit of lower case changes only letters into what the known names have.
    if ((code | 0x20) === codes[index]) continue
    if (code !== underscore || codes[index] !== hyphen) return 'other'
    isSame = false
  }
  return isSame ? 'same' : 'alike'
}
