import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type InspectOptions, inspect } from '../../src/flow/inspect.ts'
import { createDelta } from '../../src/payload/delta/create.ts'
import { extractPayload } from '../../src/payload/extract.ts'
import { compressedManifest, type PayloadManifest } from '../../src/payload/manifest.ts'
import { makeDeb, makeImage, type TestEnvelopes, testEnvelopes } from '../support/envelopes.ts'
import { makeOperator } from '../support/operator.ts'
import { noise, testPayload, testTree } from '../support/payload.ts'
import { type RangeServer, rangeServer } from '../support/range-server.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const files = {
  'bin/run.sh': '#!/bin/sh\n',
  empty: '',
  'lib/large': noise(9 * 1024 * 1024),
  'lib/text': 'text\n'.repeat(500),
  link: { link: 'lib/text' },
}

const operator = makeOperator()
const at = operator.at
let envelopes: TestEnvelopes
let places: Readonly<Record<'tarball' | 'deb' | 'image' | 'manifest' | 'delta', string>>

beforeAll(async () => {
  envelopes = await testEnvelopes(operator.folder, files)
  await makeDeb(envelopes)
  makeImage(envelopes)
  const manifest = at('app-1.0.0.manifest.json.zst')
  fs.writeFileSync(manifest, compressedManifest(envelopes.manifest))
  const older = tempFolder()
  const old = await testPayload(
    older,
    testTree(path.join(older, 'tree'), { ...files, 'lib/text': 'old\n'.repeat(500) }),
  )
  const delta = at('app-1.0.0.from-0.9.0.delta')
  const side = { manifest: envelopes.manifest, source: envelopes.source() }
  const from = { manifest: { ...old.manifest, version: '0.9.0' }, source: old.source() }
  await createDelta({ old: from, new: side, file: delta })
  const { debOptions, imageOptions } = envelopes
  places = { tarball: envelopes.file, deb: debOptions.file, image: imageOptions.folder, manifest, delta }
})

async function look<T>(place: string, action: InspectOptions['action'] = { kind: 'show' }, manifest?: string) {
  const tools = recordedTools()
  await inspect({ cwd: operator.folder, place, manifest, action }, tools)
  const tables = tools.events.flatMap(event => (event.kind === 'table' ? [event] : []))
  return { result: tools.result<T>(), tables, rows: tables.flatMap(table => table.rows) }
}

const failure = (place: string, action?: InspectOptions['action'], manifest?: string) =>
  look(place, action, manifest).then(
    () => undefined,
    caught => caught as { readonly code: string; readonly message: string; readonly hint: string },
  )

describe('inspect', () => {
  it.each(['tarball', 'deb', 'image', 'manifest'] as const)('shows a %s with the payload in it', async kind => {
    const { result, rows } = await look<{ readonly kind: string; readonly manifest: PayloadManifest }>(places[kind])
    expect(result).toMatchObject({ kind, manifest: envelopes.manifest })
    expect(rows).toContainEqual(['Version', '1.0.0'])
    expect(rows).toContainEqual(['Entries', '4 files, 2 folders, 1 links'])
  })

  it('shows the fields and members of a package', async () => {
    const { result, rows } = await look(places.deb)
    expect(rows).toContainEqual(['Package', 'app'])
    expect(rows).toContainEqual(['', 'It does nothing.'])
    expect(rows.map(row => row[0])).toContain('data.tar.zst')
    expect(result).toHaveProperty('control', expect.stringMatching(/^Package: app\n/))
  })

  it('shows the platforms of an image, and what refers to it', async () => {
    const { tables } = await look(places.image)
    expect(tables.find(({ title }) => title === 'Platforms')?.rows.map(row => row[0])).toEqual([
      'linux/amd64',
      'linux/arm64',
    ])
    expect(tables.find(({ title }) => title === 'Referrers')?.rows.flat()).toContain(
      'application/vnd.cutover.payload-manifest.v1+zstd',
    )
  })

  it('shows where a delta pack leads from and to, and its files', async () => {
    const { result, rows } = await look(places.delta)
    expect(result).toMatchObject({ kind: 'delta', delta: { from: '0.9.0', version: '1.0.0' } })
    expect(rows).toContainEqual(['made', 'lib/text', ''])
  })

  it('lists the entries of a payload', async () => {
    const { rows } = await look(places.image, { kind: 'list' })
    expect(rows).toContainEqual(['0755', '10', expect.stringMatching(/^[0-9a-f]{12}$/), 'bin/run.sh'])
    expect(rows).toContainEqual(['0755', '', '', 'lib/'])
    expect(rows).toContainEqual(['link', '', '', 'link → lib/text'])
  })

  it('says of files that are none of ours, and of pipes, that they are not', async () => {
    fs.writeFileSync(at('other'), 'something else')
    execFileSync('mkfifo', [at('pipe')])
    for (const place of ['other', 'pipe', 'nowhere', '.']) {
      expect(await failure(place), place).toMatchObject({ code: 'INSPECT_UNKNOWN' })
    }
  })

  it('needs the manifest of a tarball, and takes one that is elsewhere', async () => {
    const lone = path.join(tempFolder(), 'lone.tar.zst')
    fs.copyFileSync(places.tarball, lone)
    expect(await failure(lone)).toMatchObject({
      code: 'INSPECT_NO_MANIFEST',
      hint: expect.stringContaining('--manifest'),
    })
    expect((await look(lone, { kind: 'show' }, places.manifest)).result).toMatchObject({ kind: 'tarball' })
    fs.truncateSync(lone, 1000)
    expect(await failure(lone, undefined, places.manifest)).toMatchObject({ code: 'ENVELOPE_MISMATCH' })
  })
})

describe('inspect --extract', () => {
  const extract = (wanted: string, output: string) => ({ kind: 'extract', path: wanted, output }) as const

  it.each(['tarball', 'deb', 'image'] as const)('writes one file of a %s', async kind => {
    for (const wanted of ['lib/large', 'empty', 'bin/run.sh'] as const) {
      const { result } = await look<{ fetchedBytes: number }>(places[kind], extract(wanted, 'output'))
      expect(fs.readFileSync(at('output')).equals(Buffer.from(files[wanted]))).toBe(true)
      if (wanted === 'bin/run.sh') expect(result.fetchedBytes).toBeLessThan(10_000)
    }
    expect(fs.statSync(at('output')).mode & 0o777).toBe(0o755)
    expect(fs.existsSync(at('output.part'))).toBe(false)
  })

  it('takes the path on a system, too, and follows no links', async () => {
    await look(places.deb, extract('/opt/app/lib/text', 'text'))
    expect(fs.readFileSync(at('text'), 'utf8')).toBe(files['lib/text'])
    for (const wanted of ['link', 'lib', 'nowhere', '../app/empty']) {
      expect(await failure(places.deb, extract(wanted, 'x')), wanted).toMatchObject({ code: 'INSPECT_NO_FILE' })
    }
    expect(fs.existsSync(at('x'))).toBe(false)
  })

  it('leaves what was there when the content is not what the manifest says', async () => {
    const damaged = at('damaged.tar.zst')
    const bytes = fs.readFileSync(places.tarball)
    fs.writeFileSync(damaged, bytes.fill(0xff, bytes.byteLength - 400, bytes.byteLength - 100))
    fs.writeFileSync(at('kept'), 'kept')
    expect(await failure(damaged, extract('lib/text', 'kept'), places.manifest)).toMatchObject({
      code: 'SEGMENT_DIGEST',
    })
    expect(fs.readFileSync(at('kept'), 'utf8')).toBe('kept')
    expect(fs.existsSync(at('kept.part'))).toBe(false)
  })

  it('says that a manifest and a delta pack hold no files', async () => {
    for (const place of [places.manifest, places.delta]) {
      expect(await failure(place, extract('lib/text', 'x'))).toMatchObject({ code: 'INSPECT_NO_CONTENT' })
    }
  })
})

describe('inspect --against', () => {
  it('accepts an unpacked folder, and names what differs', async () => {
    const folder = path.join(tempFolder(), 'opt/app')
    fs.mkdirSync(folder, { recursive: true })
    await extractPayload({ manifest: envelopes.manifest, wanted: 'all', source: envelopes.source(), folder })
    const compare = (name: string) => ({ kind: 'compare', folder: name }) as const
    const unpacked = path.dirname(path.dirname(folder))
    for (const name of [folder, unpacked]) {
      expect((await look(places.manifest, compare(name))).result).toMatchObject({ missing: [], content: [], extra: [] })
    }
    fs.appendFileSync(path.join(folder, 'lib/text'), 'more')
    fs.rmSync(path.join(folder, 'empty'))
    fs.writeFileSync(path.join(folder, 'more'), '')
    expect(await failure(places.deb, compare(folder))).toMatchObject({
      code: 'INSPECT_DIFFERS',
      details: { missing: ['empty'], content: ['lib/text'], extra: ['more'] },
    })
    expect(await failure(places.deb, compare(path.join(folder, 'lib/text')))).toMatchObject({ code: 'INSPECT_DIFFERS' })
  })
})

describe('inspect of an address', () => {
  it('reads of a package only what it needs', async () => {
    const server = await rangeServer(fs.readFileSync(places.deb))
    expect((await look(server.url)).result).toMatchObject({ kind: 'deb', manifest: envelopes.manifest })
    const { result } = await look<{ fetchedBytes: number }>(server.url, {
      kind: 'extract',
      path: 'bin/run.sh',
      output: 'fetched',
    })
    expect(fs.readFileSync(at('fetched'), 'utf8')).toBe(files['bin/run.sh'])
    expect(result.fetchedBytes).toBeLessThan(10_000)
    // The whole is only asked for to learn its size, and let go of.
    expect(askedBytes(server)).toBeLessThan(100_000)
  })

  it('refuses a server without ranges, and what is not there', async () => {
    const server = await rangeServer(fs.readFileSync(places.deb))
    server.behaviour.ignoreRanges = true
    expect(await failure(server.url)).toMatchObject({ code: 'HTTP_FAILED', hint: expect.stringContaining('fetch it') })
    server.behaviour.status = 404
    expect(await failure(server.url)).toMatchObject({ code: 'INSPECT_UNKNOWN' })
  })
})

function askedBytes({ requests }: RangeServer): number {
  const ranges = requests.filter(range => range !== 'all').map(range => range.split('-').map(Number))
  return ranges.reduce((sum, [start = 0, end = 0]) => sum + end + 1 - start, 0)
}

describe('release inspect', () => {
  it('writes a file to standard output, and nothing else', async () => {
    const sent = await operator.run('.', 'release', 'inspect', places.tarball, '--extract', 'lib/text', '--output', '-')
    expect(sent).toMatchObject({ exitCode: 0, stdout: files['lib/text'], stderr: '' })
  })

  it.each([
    [['--extract', 'lib/text'], 2],
    [['--extract', 'lib/text', '--output', '-', '--json'], 2],
    [['--list', '--against', '.'], 2],
    [['--against', '.'], 1],
  ])('ends %j with %i', async (argv, exitCode) => {
    expect(await operator.run('.', 'release', 'inspect', places.deb, ...argv)).toMatchObject({ exitCode })
  })
})
