/*
 * Whatever is read came from somebody else. Cut, changed, swollen or swapped for something that blocks, it must end in one of our errors or in
 * the same content, soon, and without a write outside.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import zlib from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ReleaseError } from '../../src/core/error.ts'
import { arHeader, arMagic, arPadding } from '../../src/envelope/ar.ts'
import { readDeb } from '../../src/envelope/deb-reader.ts'
import { proveEnvelope } from '../../src/envelope/prove.ts'
import { inspect } from '../../src/flow/inspect.ts'
import { createDelta } from '../../src/payload/delta/create.ts'
import { readDelta } from '../../src/payload/delta/open.ts'
import { extractPayload } from '../../src/payload/extract.ts'
import { compressedManifest, manifestBytes, parseManifest } from '../../src/payload/manifest.ts'
import { openSegmentSource } from '../../src/payload/source.ts'
import { verifyTree } from '../../src/payload/verify.ts'
import { makeDeb, makeImage, type TestEnvelopes, testEnvelopes } from '../support/envelopes.ts'
import { noise, testPayload, testTree } from '../support/payload.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const files = {
  'bin/run.sh': '#!/bin/sh\n',
  'lib/noise': noise(200),
  'lib/text': 'text\n'.repeat(50),
  link: { link: 'lib/text' },
}

const folder = tempFolder()
const scratch = path.join(folder, 'scratch')
let zstd: TestEnvelopes
let gzip: TestEnvelopes
let delta: Buffer

beforeAll(async () => {
  const make = async (name: string, codec: 'zstd' | 'gzip') => {
    fs.mkdirSync(path.join(folder, name))
    const envelopes = await testEnvelopes(path.join(folder, name), files, { codec })
    await makeDeb(envelopes)
    makeImage(envelopes)
    return envelopes
  }
  zstd = await make('zstd', 'zstd')
  gzip = await make('gzip', 'gzip')
  const older = path.join(folder, 'older')
  fs.mkdirSync(older)
  const old = await testPayload(older, testTree(path.join(older, 'tree'), { ...files, 'lib/text': 'old' }))
  const file = path.join(folder, 'app.delta')
  const side = ({ manifest, source }: typeof old) => ({ manifest, source: source() })
  await createDelta({ old: side(old), new: side(zstd), file })
  delta = fs.readFileSync(file)
})

/** What something came to: its value, or our error. Anything else that is thrown fails the test. */
async function outcome<T>(read: () => Promise<T> | T): Promise<T | ReleaseError> {
  try {
    return await read()
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code !== 'INTERNAL') return caught
    throw caught
  }
}

const isRefused = (found: unknown) => found instanceof ReleaseError

function stored(bytes: Uint8Array): string {
  fs.writeFileSync(scratch, bytes)
  return scratch
}

/** Bytes with a few of them changed, left out, doubled or put in. */
function mutated(bytes: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.integer({ min: 0, max: bytes.byteLength - 1 })
  const edit = fc.record({
    kind: fc.constantFrom('set', 'remove', 'double', 'insert'),
    at,
    length: fc.integer({ min: 1, max: 64 }),
    value: fc.oneof(fc.constantFrom(0, 0xff, 0x30, 0x39, 0x2f), fc.integer({ min: 0, max: 255 })),
  })
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map(edits => {
    let result = bytes
    for (const { kind, at: start, length, value } of edits) {
      const [before, middle, after] = [
        result.subarray(0, start),
        result.subarray(start, start + length),
        result.subarray(start + length),
      ]
      if (kind === 'set') result = Buffer.concat([before, Buffer.from([value]), result.subarray(start + 1)])
      if (kind === 'remove') result = Buffer.concat([before, after])
      if (kind === 'double') result = Buffer.concat([before, middle, middle, after])
      if (kind === 'insert') result = Buffer.concat([before, Buffer.alloc(length, value), middle, after])
    }
    return result
  })
}

async function everyMutation(bytes: Buffer, check: (changed: Buffer) => Promise<void>, numRuns = 300): Promise<void> {
  await fc.assert(fc.asyncProperty(mutated(bytes), check), { numRuns })
}

describe.each(['zstd', 'gzip'] as const)('a tarball in %s', codec => {
  const envelopes = () => (codec === 'zstd' ? zstd : gzip)
  const unpack = (bytes: Buffer) => (codec === 'zstd' ? zlib.zstdDecompressSync(bytes) : zlib.gunzipSync(bytes))

  it('is refused when it is cut at any byte', async () => {
    const bytes = fs.readFileSync(envelopes().file)
    for (let sizeBytes = 0; sizeBytes < bytes.byteLength; sizeBytes += 1) {
      const found = await outcome(() => proveEnvelope(stored(bytes.subarray(0, sizeBytes)), envelopes().manifest))
      expect(isRefused(found), `${sizeBytes} bytes`).toBe(true)
    }
  })

  it('is refused when it is changed, or holds the same', async () => {
    const bytes = fs.readFileSync(envelopes().file)
    await everyMutation(bytes, async changed => {
      const found = await outcome(() => proveEnvelope(stored(changed), envelopes().manifest))
      if (!isRefused(found)) expect(unpack(changed).equals(unpack(bytes))).toBe(true)
    })
  })

  it('is refused with anything behind its end', async () => {
    const bytes = fs.readFileSync(envelopes().file)
    const { manifest } = envelopes()
    // Zeros behind gzip are the padding of tapes, which every reader leaves out.
    for (const more of [Buffer.from('more'), zlib.gzipSync('more'), zlib.zstdCompressSync('more')]) {
      const found = await outcome(() => proveEnvelope(stored(Buffer.concat([bytes, more])), manifest))
      expect(isRefused(found), more.toString('hex')).toBe(true)
    }
  })

  it('is refused soon when it is a bomb of zeros', async () => {
    const zeros = codec === 'zstd' ? zlib.zstdCompressSync(Buffer.alloc(2 ** 26)) : zlib.gzipSync(Buffer.alloc(2 ** 26))
    const empty = { ...envelopes().manifest, segments: [], segmentsSizeBytes: 0, files: [] }
    const found = await outcome(() => proveEnvelope(stored(zeros), empty))
    expect(isRefused(found)).toBe(true)
  })
})

describe('a package', () => {
  it('is refused by its proof when it is cut at any byte', async () => {
    const bytes = fs.readFileSync(zstd.debOptions.file)
    for (let sizeBytes = 0; sizeBytes < bytes.byteLength; sizeBytes += 1) {
      const found = await outcome(() => proveEnvelope(stored(bytes.subarray(0, sizeBytes)), zstd.manifest))
      expect(isRefused(found), `${sizeBytes} bytes`).toBe(true)
    }
  })

  it('ends in our errors or in a package, however it is changed', async () => {
    const bytes = fs.readFileSync(zstd.debOptions.file)
    await everyMutation(bytes, async changed => {
      const place = stored(changed)
      await outcome(() => readDeb(place))
      await outcome(() => proveEnvelope(place, zstd.manifest))
      await outcome(() => inspect({ cwd: folder, place, action: { kind: 'show' } }, recordedTools()))
    })
  })

  it('is refused with sizes that no memory holds', async () => {
    const bytes = fs.readFileSync(zstd.debOptions.file)
    const { members } = readDeb(zstd.debOptions.file)
    for (const { name, offset } of members) {
      const swollen = Buffer.concat([bytes.subarray(0, offset - 60), arHeader(name, 9_999_999_998, 0)])
      const place = stored(swollen)
      // Nothing is on the disk but its length.
      fs.truncateSync(place, offset + 9_999_999_998)
      const found = await outcome(() => proveEnvelope(place, zstd.manifest))
      expect(isRefused(found), name).toBe(true)
      const shown = await outcome(() => inspect({ cwd: folder, place, action: { kind: 'show' } }, recordedTools()))
      // Without a manifest it is a package of somebody else, whose data nobody reads.
      if (name !== 'data.tar.zst') expect(isRefused(shown), name).toBe(true)
    }
    fs.rmSync(scratch)
  })

  it('is refused with a bomb as its control archive, and with a crowd of members', async () => {
    const member = (name: string, content: Uint8Array) =>
      Buffer.concat([arHeader(name, content.byteLength, 0), content, Buffer.from(arPadding(content.byteLength))])
    const head = [Buffer.from(arMagic), member('debian-binary', Buffer.from('2.0\n'))]
    const bomb = zlib.gzipSync(Buffer.alloc(2 ** 27))
    const rest = [member('control.tar.gz', bomb), member('data.tar.gz', Buffer.alloc(0))]
    expect(await outcome(() => readDeb(stored(Buffer.concat([...head, ...rest]))))).toMatchObject({
      code: 'DEB_INVALID',
    })
    const crowd = Array.from({ length: 10_000 }, () => member('_a', Buffer.alloc(0)))
    expect(await outcome(() => readDeb(stored(Buffer.concat([...head, ...crowd]))))).toMatchObject({
      code: 'DEB_INVALID',
    })
  })
})

describe('a payload manifest', () => {
  const isRead = async (bytes: Buffer) => {
    const found = await outcome(() => parseManifest(bytes))
    // What was accepted can be written again.
    if (!(found instanceof ReleaseError)) manifestBytes(found)
    return !(found instanceof ReleaseError)
  }

  it('is refused when it is cut at any byte', async () => {
    for (const bytes of [manifestBytes(zstd.manifest), compressedManifest(zstd.manifest)]) {
      for (let sizeBytes = 0; sizeBytes < bytes.byteLength; sizeBytes += 1) {
        expect(await isRead(bytes.subarray(0, sizeBytes)), `${sizeBytes} bytes`).toBe(false)
      }
    }
  })

  it('ends in our errors or in a manifest, however it is changed', async () => {
    for (const bytes of [manifestBytes(zstd.manifest), compressedManifest(zstd.manifest)]) {
      await everyMutation(bytes, async changed => void (await isRead(changed)))
    }
  })

  it('is refused when anything in it is nested too deep', async () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
    const text = manifestBytes(zstd.manifest).toString()
    const members = [...text.matchAll(/"(\w+)":/g)]
    const first = new Map(members.map(match => [match[1], match.index + match[0].length]))
    for (const [name, at] of first) {
      const end = text.slice(at).search(/[,}\]]/) + at
      if (name === 'files' || name === 'segments') continue
      const changed = `${text.slice(0, at)}${deep}${text.slice(end)}`
      expect(await isRead(Buffer.from(changed)), name).toBe(false)
    }
    for (const place of ['{', '"files":[{', '"recipe":{']) {
      const changed = text.replace(place, `${place}"unknown":${deep},`)
      expect(await isRead(Buffer.from(changed)), place).toBe(false)
    }
  })

  it('is refused when it is a bomb', async () => {
    expect(await isRead(zlib.zstdCompressSync(Buffer.alloc(2 ** 29 + 2 ** 20)))).toBe(false)
  })
})

describe('a delta pack', () => {
  it('is refused when it is cut at any byte', async () => {
    for (let sizeBytes = 0; sizeBytes < delta.byteLength; sizeBytes += 1) {
      const found = await outcome(() => readDelta(delta.subarray(0, sizeBytes)))
      expect(isRefused(found), `${sizeBytes} bytes`).toBe(true)
    }
  })

  it('ends in our errors or in pieces, however it is changed', async () => {
    await everyMutation(delta, async changed => {
      const found = await outcome(() => readDelta(changed))
      if (isRefused(found)) return
      const { index, readPiece } = found as ReturnType<typeof readDelta>
      for (const piece of index.pieces.keys()) await outcome(() => readPiece(piece))
    })
  })
})

describe('an image layout', () => {
  const image = () => zstd.imageOptions.folder
  const copyOf = () => {
    const copy = path.join(tempFolder(), 'image.oci')
    fs.cpSync(image(), copy, { recursive: true })
    return copy
  }
  const readAll = async (place: string) => {
    const proof = await outcome(() => proveEnvelope(place, zstd.manifest))
    const shown = await outcome(() => inspect({ cwd: folder, place, action: { kind: 'show' } }, recordedTools()))
    return { proof, shown }
  }

  it('is refused when its index is cut at any byte', async () => {
    const copy = copyOf()
    const index = path.join(copy, 'index.json')
    const bytes = fs.readFileSync(index)
    for (let sizeBytes = 0; sizeBytes < bytes.byteLength; sizeBytes += 1) {
      fs.writeFileSync(index, bytes.subarray(0, sizeBytes))
      const { proof, shown } = await readAll(copy)
      expect([isRefused(proof), isRefused(shown)], `${sizeBytes} bytes`).toEqual([true, true])
    }
  })

  it('ends in our errors, however a file of it is changed', async () => {
    const copy = copyOf()
    const names = fs.readdirSync(copy, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
    for (const entry of names) {
      const file = path.join(entry.parentPath, entry.name)
      const bytes = fs.readFileSync(file)
      await everyMutation(
        bytes,
        async changed => {
          fs.writeFileSync(file, changed)
          await readAll(copy)
        },
        12,
      )
      fs.writeFileSync(file, bytes)
    }
    expect((await readAll(copy)).proof).toMatchObject({ kind: 'oci' })
  })

  it('is refused when a file of it is a pipe, a folder, a device or a link to nowhere', async () => {
    const names = fs.readdirSync(image(), { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
    for (const entry of names) {
      const inside = path.relative(image(), path.join(entry.parentPath, entry.name))
      for (const plant of [
        (file: string) => execFileSync('mkfifo', [file]),
        (file: string) => fs.mkdirSync(file),
        (file: string) => fs.symlinkSync('/dev/zero', file),
        (file: string) => fs.symlinkSync('nowhere', file),
      ]) {
        const copy = copyOf()
        fs.rmSync(path.join(copy, inside))
        plant(path.join(copy, inside))
        const { proof, shown } = await readAll(copy)
        // What only refers to the image is not part of it.
        const text = fs.readFileSync(path.join(image(), inside)).toString('latin1')
        if (!text.includes('"subject"') && text !== '{}')
          expect(isRefused(proof) || isRefused(shown), inside).toBe(true)
      }
    }
  })

  it('is refused without its blobs', async () => {
    const copy = copyOf()
    fs.rmSync(path.join(copy, 'blobs'), { recursive: true })
    const { proof, shown } = await readAll(copy)
    expect([isRefused(proof), isRefused(shown)]).toEqual([true, true])
  })
})

/** Serve whatever a test answers, until the test file ends. */
async function serve(answer: http.RequestListener): Promise<string> {
  const server = http.createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`
}

describe('a server of segments', () => {
  const bytes = () => fs.readFileSync(zstd.file)
  const range = ({ headers }: http.IncomingMessage) => {
    const [start = 0, end = 0] = (headers.range ?? '').slice('bytes='.length).split('-').map(Number)
    return { start, end: end + 1 }
  }
  const read = (url: string, idleTimeoutMs = 60_000) =>
    outcome(async () => {
      const { manifest, artifact } = zstd
      const retryTools = { wait: async () => {}, random: () => 0 }
      const { payloadOffset } = artifact
      const source = openSegmentSource({ url, payloadOffset, manifest, idleTimeoutMs, retryTools })
      const digests: string[] = []
      for await (const { segment } of source.read(manifest.segments)) digests.push(segment.digest)
      return digests
    })

  const bomb = zlib.gzipSync(Buffer.alloc(2 ** 25))

  /** Write until the reader goes away. */
  const writeForever = (response: http.ServerResponse, piece: Uint8Array) => {
    const more = () => {
      while (!response.destroyed && response.write(piece));
    }
    response.on('drain', more)
    more()
  }

  it.each<[string, http.RequestListener, string]>([
    ['another range', (_, response) => void response.writeHead(206).end(bytes().subarray(1)), 'SEGMENT_DIGEST'],
    ['nothing', (_, response) => void response.writeHead(206).end(), 'SEGMENT_SHORT'],
    ['zeros for ever', (_, response) => writeForever(response.writeHead(206), Buffer.alloc(65536)), 'SEGMENT_DIGEST'],
    [
      'the whole, with other bytes for ever',
      (_, response) => writeForever(response, Buffer.alloc(65536)),
      'SEGMENT_DIGEST',
    ],
    [
      'gzip that nobody asked for and that is none',
      (request, response) => {
        const { start, end } = range(request)
        response.writeHead(206, { 'content-encoding': 'gzip' }).end(bytes().subarray(start, end))
      },
      'HTTP_ENCODED',
    ],
    [
      'a gzip bomb',
      (_, response) => void response.writeHead(206, { 'content-encoding': 'gzip' }).end(bomb),
      'HTTP_ENCODED',
    ],
    [
      'a Content-Range that lies',
      (request, response) => {
        const { start, end } = range(request)
        response.writeHead(206, { 'content-range': 'bytes 5-6/7' }).end(bytes().subarray(start, end))
      },
      'HTTP_FAILED',
    ],
    [
      'a redirect in a circle',
      (_, response) => void response.writeHead(302, { location: '/file' }).end(),
      'HTTP_REDIRECT',
    ],
    [
      'a redirect to a file',
      (_, response) => void response.writeHead(302, { location: 'file:///etc/hosts' }).end(),
      'HTTP_REDIRECT',
    ],
    ['a header that is none', ({ socket }) => void socket.end('HTTP/1.1 206\u0000\r\n\r\n'), 'HTTP_FAILED'],
  ])('that answers with %s is refused', async (_, answer, code) => {
    expect(await read(await serve(answer))).toMatchObject({ code })
  })

  it('that begins and then says nothing is left', async () => {
    const url = await serve((_, response) => void response.writeHead(206).write('x'))
    expect(await read(url, 200)).toMatchObject({ code: 'HTTP_FAILED' })
  })

  it.each<[string, http.RequestListener]>([
    ['the whole instead of a range', (_, response) => void response.end(bytes())],
    [
      'more than was asked for',
      (request, response) => void response.writeHead(206).end(bytes().subarray(range(request).start)),
    ],
  ])('that answers with %s gives the right bytes or none', async (_, answer) => {
    expect(await read(await serve(answer))).toEqual(zstd.manifest.segments.map(({ digest }) => digest))
  })
})

describe('a folder with something planted in it', () => {
  const extract = (place: string) => {
    const { manifest, source } = zstd
    return outcome(() => extractPayload({ manifest, wanted: 'all', source: source(), folder: place }))
  }

  it('lets nothing be written outside, and nothing wait', async () => {
    const plants: readonly ((name: string, outside: string) => void)[] = [
      (name, outside) => fs.symlinkSync(outside, name),
      (name, outside) => fs.symlinkSync(path.join(outside, 'kept'), name),
      (name, outside) => fs.symlinkSync(path.join(outside, 'new'), name),
      (name, outside) => fs.linkSync(path.join(outside, 'kept'), name),
      name => execFileSync('mkfifo', [name]),
      name => fs.writeFileSync(name, 'in the way'),
      name => fs.mkdirSync(name),
    ]
    for (const entry of zstd.manifest.files) {
      for (const plant of plants) {
        const [place, outside] = [tempFolder(), tempFolder()]
        fs.writeFileSync(path.join(outside, 'kept'), 'kept')
        fs.mkdirSync(path.dirname(path.join(place, entry.path)), { recursive: true })
        plant(path.join(place, entry.path), outside)
        expect(await verifyTree(place, zstd.manifest.files), entry.path).not.toEqual([])
        const found = await extract(place)
        if (!isRefused(found)) {
          expect(await verifyTree(place, zstd.manifest.files)).toEqual([])
        }
        expect(fs.readdirSync(outside)).toEqual(['kept'])
        expect(fs.readFileSync(path.join(outside, 'kept'), 'utf8')).toBe('kept')
        expect(fs.statSync(path.join(outside, 'kept')).mode & 0o777).toBe(0o644)
      }
    }
  })
})
