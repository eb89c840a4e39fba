/*
 * node scripts/bench/payload.ts FOLDER [RUNS]
 *
 * Pack a folder, wrap it, unpack it; beside it, in the same session, what tar, zstd and dpkg-deb take for the same folder.
 * Times are medians; work happens in a temporary folder below TMPDIR: use a tmpfs or a fresh file system for steady figures.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { formatBytes } from '../../src/core/quantity.ts'
import { compareBytes } from '../../src/core/relative-path.ts'
import type { Tree, TreeEntry } from '../../src/core/tree.ts'
import { createDeb } from '../../src/envelope/deb.ts'
import { collectMd5sums } from '../../src/envelope/md5sums.ts'
import { createImage } from '../../src/envelope/oci.ts'
import { proveEnvelope } from '../../src/envelope/prove.ts'
import { createTarball, type TarballArtifact } from '../../src/envelope/tarball.ts'
import { extractPayload } from '../../src/payload/extract.ts'
import { compressedManifest, type PayloadManifest } from '../../src/payload/manifest.ts'
import { packPayload } from '../../src/payload/pack.ts'
import { openSegmentSource } from '../../src/payload/source.ts'
import { verifyTree } from '../../src/payload/verify.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { execute } from '../../src/sys/exec.ts'

interface Row {
  readonly what: string
  readonly durationMs: number
  readonly outputBytes?: number
}

const [folder, runsText = '5'] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: node scripts/bench/payload.ts FOLDER [RUNS]')
const source = path.resolve(folder)
const runs = Number(runsText)
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-bench-'))
const at = (...names: string[]) => path.join(work, ...names)
try {
  const tree = readTree(source)
  const tarBytes = tree.entries.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.sizeBytes : 0), 0)
  print([...(await ours(tree)), ...(await peers())], { tree, tarBytes })
} finally {
  fs.rmSync(work, { recursive: true, force: true })
}

async function ours(tree: Tree): Promise<Row[]> {
  const packed = await median(() => pack(tree, []))
  const md5sums = collectMd5sums()
  const { manifest, artifact } = await pack(tree, [md5sums])
  const storedManifest = compressedManifest(manifest)
  const tarball = { file: at('app.tar.zst'), payloadOffset: artifact.payloadOffset }
  const debOptions = {
    file: at('app.deb'),
    tarball,
    manifest,
    storedManifest,
    control: {
      package: 'app',
      version: '1.0.0-1',
      architecture: 'all',
      maintainer: 'A <a@example.org>',
      summary: 'x',
      fields: { Section: 'misc', Priority: 'optional' },
    },
    scripts: {},
    units: [],
    accounts: {},
    alternatives: [],
    triggers: [],
    files: [],
    conffiles: [],
    removedConffiles: [],
    manpages: [],
    overrides: [],
    changelog: 'x\n',
    copyright: 'x\n',
    md5sums: md5sums.sums,
  }
  const imageOptions = {
    folder: at('app.oci'),
    tarball: { file: tarball.file, artifact },
    manifest,
    storedManifest,
    platforms: ['linux/amd64'] as const,
    config: { entrypoint: [], cmd: [], user: '0:0', environment: {}, ports: [], volumes: [], labels: {} },
    annotations: {},
  }
  const extract = () => {
    const url = pathToFileURL(tarball.file).href
    const segments = openSegmentSource({ url, payloadOffset: tarball.payloadOffset, manifest })
    return extractPayload({ manifest, wanted: 'all', source: segments, folder: at('out') })
  }
  return [
    { what: 'cutover: pack to a tarball', durationMs: packed, outputBytes: artifact.sizeBytes },
    { what: 'cutover: the same, with md5sums', durationMs: await median(() => pack(tree, [collectMd5sums()])) },
    {
      what: 'cutover: compress the manifest',
      durationMs: await median(async () => compressedManifest(manifest)),
      outputBytes: storedManifest.byteLength,
    },
    {
      what: 'cutover: .deb around it',
      durationMs: await median(() => createDeb(debOptions)),
      outputBytes: fs.statSync(debOptions.file).size,
    },
    { what: 'cutover: image around it', durationMs: await median(async () => createImage(imageOptions)) },
    { what: 'cutover: prove the .deb', durationMs: await median(() => proveEnvelope(debOptions.file, manifest)) },
    { what: 'cutover: extract, every file verified', durationMs: await median(extract, freshOut) },
    { what: 'cutover: verify the tree', durationMs: await median(() => verifyTree(at('out'), manifest)) },
  ]
}

async function peers(): Promise<Row[]> {
  const parent = path.dirname(source)
  const name = path.basename(source)
  const shell = (script: string) => () => execute(['/bin/sh', '-c', script, 'sh', parent, name, work])
  fs.mkdirSync(at('tree/DEBIAN'), { recursive: true })
  fs.writeFileSync(
    at('tree/DEBIAN/control'),
    'Package: app\nVersion: 1.0.0-1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: x\n',
  )
  await shell('cp -a "$1/$2" "$3/tree/app"')()
  const tar = await median(shell('tar -C "$1" -cf - "$2" | zstd -q -3 -T2 -f -o "$3/peer.tar.zst"'))
  const deb = await median(shell('dpkg-deb --root-owner-group -Zzstd -z3 -b "$3/tree" "$3/peer.deb"'))
  return [
    { what: 'tar | zstd -3 -T2', durationMs: tar, outputBytes: fs.statSync(at('peer.tar.zst')).size },
    { what: 'dpkg-deb -Zzstd -z3 (no md5sums)', durationMs: deb, outputBytes: fs.statSync(at('peer.deb')).size },
    {
      what: 'tar -x --zstd',
      durationMs: await median(shell('tar -C "$3/out" --zstd -xf "$3/peer.tar.zst"'), freshOut),
    },
    { what: 'dpkg-deb -x', durationMs: await median(shell('dpkg-deb -x "$3/peer.deb" "$3/out"'), freshOut) },
  ]
}

async function pack(
  tree: Tree,
  sinks: Parameters<typeof packPayload>[0]['sinks'],
): Promise<{ readonly manifest: PayloadManifest; readonly artifact: TarballArtifact }> {
  const tarball = createTarball(at('app.tar.zst'))
  const manifest = await packPayload({
    tree,
    name: 'app',
    version: '1.0.0',
    sourceDateEpoch: 1_767_225_600,
    level: 3,
    recipe: {},
    sinks: [tarball, ...sinks],
  })
  return { manifest, artifact: tarball.finish(manifest) }
}

function freshOut(): void {
  fs.rmSync(at('out'), { recursive: true, force: true })
  fs.mkdirSync(at('out'))
}

async function median(run: () => Promise<unknown>, prepare: () => void = () => {}): Promise<number> {
  const durations: number[] = []
  for (let index = 0; index < runs; index += 1) {
    prepare()
    const startMs = systemClock.elapsedMs()
    await run()
    durations.push(systemClock.elapsedMs() - startMs)
  }
  return durations.toSorted((a, b) => a - b)[runs >> 1]!
}

function readTree(root: string): Tree {
  const entries = fs.readdirSync(root, { withFileTypes: true, recursive: true }).flatMap((entry): TreeEntry[] => {
    const file = path.join(entry.parentPath, entry.name)
    const name = path.relative(root, file)
    if (entry.isDirectory()) return [{ type: 'directory', path: name, mode: 0o755 }]
    if (entry.isSymbolicLink()) return [{ type: 'symlink', path: name, linkTarget: fs.readlinkSync(file) }]
    const { size, mode } = fs.statSync(file)
    return [{ type: 'file', path: name, mode: mode & 0o111 ? 0o755 : 0o644, sizeBytes: size, source: file }]
  })
  const isLink = (entry: TreeEntry) => Number(entry.type === 'symlink')
  return { root: 'app', entries: entries.sort((a, b) => isLink(a) - isLink(b) || compareBytes(a.path, b.path)) }
}

function print(rows: readonly Row[], { tree, tarBytes }: { readonly tree: Tree; readonly tarBytes: number }): void {
  process.stdout.write(
    `${tree.entries.length} entries, ${formatBytes(tarBytes)}, medians of ${runs} runs, ${os.availableParallelism()} cores\n\n`,
  )
  for (const { what, durationMs, outputBytes } of rows) {
    const speed = `${(tarBytes / 1000 / durationMs).toFixed(0)} MB/s`
    const size =
      outputBytes === undefined ? '' : `${formatBytes(outputBytes)} ${((outputBytes / tarBytes) * 100).toFixed(1)} %`
    process.stdout.write(
      `${what.padEnd(40)} ${`${durationMs.toFixed(0)} ms`.padStart(9)} ${speed.padStart(10)}  ${size}\n`,
    )
  }
}
