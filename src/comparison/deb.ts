import zlib from 'node:zlib'
import { ReleaseError } from '../core/error.ts'
import { type DebContents, readDeb } from '../envelope/deb-reader.ts'
import { readRange } from '../envelope/input.ts'
import { frameHeader } from '../payload/codec.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { TarReader } from '../payload/tar-reader.ts'
import { compareContents } from './content.ts'
import { type BuildFacts, type Difference, type Differences, firstOf, followsFrom, type Pair } from './difference.ts'

/** A Debian package with the manifest of its payload. */
export interface DebPlace {
  readonly file: string
  /** Where the payload's segments start in it. */
  readonly payloadOffset: number
  readonly manifest: PayloadManifest
}

export interface DebComparisonOptions {
  readonly facts: BuildFacts
  /** The tarball or manifest that differs; undefined when both are equal. */
  readonly payloadCause: string | undefined
}

/** What a package has besides its payload: name → content. */
type Parts = ReadonlyMap<string, Buffer>

const largestTailBytes = 64 * 1024 * 1024

/**
 * Compare two Debian packages apart from their payload: control fields, scripts and lists, documents and units, members.
 *
 * Errors: DEB_INVALID, TAR_INVALID, FILE_IO. Source: deb(5).
 */
export function compareDebs(pair: Pair<DebPlace>, options: DebComparisonOptions): Differences {
  const [released, rebuilt] = [readDeb(pair.released.file), readDeb(pair.rebuilt.file)]
  const { payloadCause, facts } = options
  const follows = payloadCause === undefined ? [] : [payloadDifference(payloadCause)]
  return firstOf([
    ...compareFields({ released: released.control, rebuilt: rebuilt.control }, payloadCause),
    ...compareParts({ released: controlParts(released), rebuilt: controlParts(rebuilt) }, 'control.tar', facts),
    ...compareParts(
      { released: tailParts(pair.released, released), rebuilt: tailParts(pair.rebuilt, rebuilt) },
      'data.tar',
      facts,
    ),
    ...compareMembers({ released, rebuilt }),
    ...follows,
  ])
}

function payloadDifference(cause: string): Difference {
  return { where: 'payload and its manifest', released: '', rebuilt: '', ...followsFrom(cause) }
}

/** Source: deb-control(5). */
function compareFields(texts: Pair<string>, payloadCause: string | undefined): readonly Difference[] {
  const [released, rebuilt] = [fieldsOf(texts.released), fieldsOf(texts.rebuilt)]
  return [...new Set([...released.keys(), ...rebuilt.keys()])].flatMap(field => {
    const [before, now] = [released.get(field) ?? 'absent', rebuilt.get(field) ?? 'absent']
    if (before === now) return []
    const difference = { where: `control, ${field}`, released: before, rebuilt: now, why: '' }
    if (field !== 'Installed-Size' || payloadCause === undefined) return [difference]
    return [{ ...difference, ...followsFrom(payloadCause) }]
  })
}

function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const [, name = '', value = ''] of text.matchAll(/^([^\s:][^:\n]*):[ \t]*(.*(?:\n[ \t].*)*)/gm)) {
    fields.set(name, value.replace(/\n[ \t]/g, ' / '))
  }
  return fields
}

/** Sums are no difference of their own: what they are of is compared. */
function controlParts({ controlFiles }: DebContents): Parts {
  const parts = [...controlFiles].filter(([name]) => name !== 'control' && name !== 'md5sums')
  return new Map(parts.map(([name, { mode, text }]) => [`${name} (mode ${mode.toString(8)})`, Buffer.from(text)]))
}

/** What stands behind the payload's segments is a frame of its own, with the tar's end. */
function tailParts({ file, payloadOffset, manifest }: DebPlace, { data }: DebContents): Parts {
  const offset = payloadOffset + manifest.segmentsSizeBytes
  const bytes = readRange({ file, offset, sizeBytes: data.offset + data.sizeBytes - offset })
  const parts = new Map<string, Buffer>()
  let open: { readonly name: string; readonly pieces: Uint8Array[] } | undefined
  const close = () => open && parts.set(open.name, Buffer.concat(open.pieces))
  const reader = new TarReader({
    member: entry => {
      close()
      const form = entry.type === 'symlink' ? `link to ${entry.linkTarget}` : `mode ${entry.mode.toString(8)}`
      open = { name: `${entry.name} (${form})`, pieces: [] }
    },
    content: piece => open?.pieces.push(Buffer.from(piece)),
  })
  reader.push(unpackTail(bytes, manifest, file))
  reader.finish()
  close()
  return parts
}

function unpackTail(bytes: Buffer, { codec }: PayloadManifest, file: string): Buffer {
  const options = { maxOutputLength: largestTailBytes }
  try {
    if (codec.name === 'gzip') return zlib.gunzipSync(bytes, options)
    return zlib.zstdDecompressSync(Buffer.concat([frameHeader(codec.name), bytes]), options)
  } catch (caught) {
    throw new ReleaseError('DEB_INVALID', `${file} has something behind its payload that does not unpack`, {
      cause: caught,
    })
  }
}

function compareParts({ released, rebuilt }: Pair<Parts>, archive: string, facts: BuildFacts): readonly Difference[] {
  return [...new Set([...released.keys(), ...rebuilt.keys()])].flatMap(name => {
    const [before, now] = [released.get(name), rebuilt.get(name)]
    const where = `${archive}, ${name}`
    if (before !== undefined && now !== undefined) {
      return compareContents(where, { released: before, rebuilt: now }, facts) ?? []
    }
    const side = (content: Buffer | undefined) => (content === undefined ? 'absent' : `${content.byteLength} bytes`)
    return [{ where, released: side(before), rebuilt: side(now), why: '' }]
  })
}

function compareMembers({ released, rebuilt }: Pair<DebContents>): readonly Difference[] {
  const names = ({ members }: DebContents) => members.map(member => member.name).join(', ')
  if (names(released) === names(rebuilt)) return []
  return [{ where: 'members', released: names(released), rebuilt: names(rebuilt), why: 'another version of Cutover' }]
}
