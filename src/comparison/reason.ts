import type { ByteDifference, Window } from './bytes.ts'
import type { BuildFacts, Pair } from './difference.ts'

/** Why two contents could differ where they do. */
interface Reason {
  readonly text: string
  readonly isSo: (difference: ByteDifference, facts: BuildFacts) => boolean
}

const weekday = '(?:\\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?'
const month = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*'

/** Dates and times as programs write them into files. */
const writtenTimes: readonly RegExp[] = [
  /\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?/g,
  new RegExp(`${weekday}\\b${month} +\\d{1,2},? +(?:\\d\\d:\\d\\d:\\d\\d +)?(?:[A-Z]{3,4} +)?\\d{4}`, 'g'),
  new RegExp(`${weekday}\\b\\d{1,2} ${month} \\d{4}(?: \\d\\d:\\d\\d(?::\\d\\d)?)?`, 'g'),
  /\d\d?\/\d\d?\/\d{4}/g,
  /\b\d\d:\d\d:\d\d\b/g,
]
/** Seconds since 1970, between 2001 and 2039, or thousandths, millionths or billionths of them. */
const epochNumber = /(?<!\d)(?:1\d{9}|2[01]\d{8})(?:\d{3}){0,3}(?!\d)/g

/** What each build makes anew: identifiers, digests and random numbers. */
const identifiers: readonly RegExp[] = [
  /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/gi,
  /(?<![0-9a-f])[0-9a-f]{16,}(?![0-9a-f])/gi,
  /\b0\.\d{6,}/g,
]

const daySeconds = 86_400

/** In this order: the first that holds is told. */
const reasons: readonly Reason[] = [
  {
    text: 'the absolute path of the build is written into it',
    isSo: ({ released, rebuilt }, { folders }) =>
      covers(rebuilt, folders.map(literal)) || covers(released, [/\/cutover-[0-9a-f]{10}-\w{6}/g]),
  },
  {
    text: 'the name of the machine is written into it',
    isSo: ({ rebuilt }, { machine }) => machine.length > 3 && covers(rebuilt, [literal(machine)]),
  },
  { text: 'the time in a gzip header; gzip -n leaves it out', isSo: isGzipTime },
  { text: 'the time of a member of a zip; zip and jar take SOURCE_DATE_EPOCH', isSo: isZipTime },
  { text: 'the time of the build is written into it; SOURCE_DATE_EPOCH has the one to take', isSo: isTime },
  {
    text: 'an identifier, digest or random number that each build makes anew',
    isSo: difference => coversBoth(difference, identifiers),
  },
]

/** Guess why two contents differ from the bytes around the place; empty when nothing is known. */
export function reasonOf(difference: ByteDifference, facts: BuildFacts): string {
  return reasons.find(reason => reason.isSo(difference, facts))?.text ?? ''
}

/** Say what two whole contents have in common although they differ; empty when nothing is known. Pre: both are small. */
export function reasonOfOrder({ released, rebuilt }: Pair<Buffer>): string {
  if (released.byteLength !== rebuilt.byteLength || released.includes(0)) return ''
  const linesOf = (bytes: Buffer) => bytes.toString('latin1').split('\n').toSorted().join('\n')
  if (linesOf(released) === linesOf(rebuilt)) return 'the same lines in another order: sort what lists files'
  const wordsOf = (bytes: Buffer) =>
    bytes
      .toString('latin1')
      .split(/[\s,;:[\]{}()]+/)
      .toSorted()
      .join(' ')
  return wordsOf(released) === wordsOf(rebuilt) ? 'the same words in another order: sort what lists files' : ''
}

function isTime(difference: ByteDifference, { nowSeconds }: BuildFacts): boolean {
  return (
    coversBoth(difference, writtenTimes) ||
    coversBoth(difference, [epochNumber]) ||
    isBinaryTime(difference, nowSeconds)
  )
}

/** Four bytes that are now in the one and a time before in the other, whichever end comes first. */
function isBinaryTime({ released, rebuilt }: ByteDifference, nowSeconds: number): boolean {
  const isNow = (seconds: number) => Math.abs(seconds - nowSeconds) < daySeconds
  const isEarlier = (seconds: number) => seconds > 1e9 && seconds < nowSeconds + daySeconds
  for (let at = rebuilt.at - 3; at <= rebuilt.at; at += 1) {
    if (at < 0 || at + 4 > Math.min(released.bytes.byteLength, rebuilt.bytes.byteLength)) continue
    if (isNow(rebuilt.bytes.readUInt32LE(at)) && isEarlier(released.bytes.readUInt32LE(at))) return true
    if (isNow(rebuilt.bytes.readUInt32BE(at)) && isEarlier(released.bytes.readUInt32BE(at))) return true
  }
  return false
}

/** Source: RFC 1952 §2.3 (MTIME, bytes 4 to 7). */
function isGzipTime({ offset, released, rebuilt }: ByteDifference): boolean {
  const isGzip = ({ bytes, at }: Window) => bytes[at - offset] === 0x1f && bytes[at - offset + 1] === 0x8b
  return offset >= 4 && offset < 8 && isGzip(released) && isGzip(rebuilt)
}

/** Source: APPNOTE.TXT 6.3.10 §4.3.7, §4.3.12 (modification time at 10 and 12). */
function isZipTime({ released, rebuilt }: ByteDifference): boolean {
  const headers = [
    { signature: Buffer.from('PK\u0003\u0004'), at: 10 },
    { signature: Buffer.from('PK\u0001\u0002'), at: 12 },
  ]
  const isIn = ({ bytes, at }: Window) =>
    headers.some(header => {
      const start = bytes.lastIndexOf(header.signature, at)
      return start !== -1 && at >= start + header.at && at < start + header.at + 4
    })
  return isIn(released) && isIn(rebuilt)
}

function coversBoth({ released, rebuilt }: ByteDifference, patterns: readonly RegExp[]): boolean {
  return patterns.some(pattern => covers(released, [pattern]) && covers(rebuilt, [pattern]))
}

/** Whether a match of one of the patterns has the place in it, or ends right before it: the rest may be missing on one side. */
function covers({ bytes, at }: Window, patterns: readonly RegExp[]): boolean {
  const text = bytes.toString('latin1')
  return patterns.some(pattern =>
    [...text.matchAll(pattern)].some(({ index, 0: match }) => index <= at && at <= index + match.length),
  )
}

function literal(text: string): RegExp {
  return new RegExp(text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'g')
}
