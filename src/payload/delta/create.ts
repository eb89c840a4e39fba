import fs from 'node:fs'
import path from 'node:path'
import { type Digest, Digester, digestOf } from '../../core/digest.ts'
import { toReleaseError } from '../../core/error.ts'
import { writeFiles } from '../extract.ts'
import { manifestBytes, type PayloadManifest } from '../manifest.ts'
import type { PayloadFile } from '../payload-file.ts'
import type { Artifact } from '../release-record.ts'
import type { SegmentSource } from '../source.ts'
import { alignPieces } from './align.ts'
import { compressPiece } from './codec.ts'
import { type DeltaIndex, type DeltaPiece, deltaHead, deltaMediaType } from './format.ts'
import { makeManifestPatch } from './manifest-patch.ts'
import { type PlannedPiece, planPieces } from './pieces.ts'
import { type DeltaPlan, planDelta } from './plan.ts'
import { type FileRange, readDictionary, readRanges } from './ranges.ts'

/** What a release record says of a delta pack. */
export type DeltaArtifact = Artifact & { readonly kind: 'delta' }

/** A release whose files can be read. */
export interface DeltaSide {
  readonly manifest: PayloadManifest
  readonly source: SegmentSource
}

export interface CreateDeltaOptions {
  readonly old: DeltaSide
  readonly new: DeltaSide
  /** Where the pack is written: see {@link deltaFileName}. */
  readonly file: string
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
  readonly signal?: AbortSignal
}

/** Pieces that are read and not yet written; each takes some 90 MiB while it is compressed. */
const piecesInFlight = 3

/**
 * Write a delta pack: everything that is new or changed in a release since an earlier one, compressed against that.
 *
 * Post: the bytes depend on both payloads and the library's version alone; memory does not depend on the size of files. What is
 * needed of both releases is on disk meanwhile, in `FILE.work`, which is gone afterwards. Crash: `FILE.work` and `FILE.part`,
 * which nothing reads and the next call removes. Errors: those of the sources, SEGMENT_DECODE, FILE_DIGEST, FILE_IO, FILE_NO_SPACE, the signal's reason.
 */
export async function createDelta(options: CreateDeltaOptions): Promise<DeltaArtifact> {
  const work = `${options.file}.work`
  const part = `${options.file}.part`
  try {
    fs.rmSync(work, { recursive: true, force: true })
    fs.mkdirSync(work)
    const plan = planDelta(options.old.manifest, options.new.manifest)
    const stored = await storeFiles(plan, options, work)
    const piecesFile = path.join(work, 'pieces')
    const pieces = await writePieces(planPieces(plan, stored.regionsOf), stored, { file: piecesFile, plan, options })
    const index = indexOf(plan, pieces, options)
    const written = assemble(part, deltaHead(index), piecesFile)
    fs.renameSync(part, options.file)
    const { from, fromManifest } = index
    return {
      kind: 'delta',
      name: path.basename(options.file),
      ...written,
      mediaType: deltaMediaType,
      from,
      fromManifest,
    }
  } catch (caught) {
    fs.rmSync(part, { force: true })
    throw options.signal?.aborted ? caught : toReleaseError(caught)
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

/** The files of both sides, on disk under their numbers. */
interface StoredFiles {
  readonly newFile: (file: number) => string
  readonly oldFile: (base: number) => string
  readonly regionsOf: Parameters<typeof planPieces>[1]
}

async function storeFiles(plan: DeltaPlan, options: CreateDeltaOptions, work: string): Promise<StoredFiles> {
  const needed = new Set(plan.files.map(({ base }) => base))
  const oldFiles = new Map(
    plan.bases.map(({ file }, base) => [file.path, base] as const).filter(([, base]) => needed.has(base)),
  )
  const newFiles = new Map(plan.files.map(({ file }, index) => [file.path, index]))
  const folders = { old: path.join(work, 'old'), new: path.join(work, 'new') }
  await settleAll([
    storeSide(options.old, oldFiles, folders.old, options.signal),
    storeSide(options.new, newFiles, folders.new, options.signal),
  ])
  const oldFile = (base: number) => path.join(folders.old, String(base))
  const newFile = (file: number) => path.join(folders.new, String(file))
  return {
    oldFile,
    newFile,
    regionsOf: async (file, base) => {
      const old = { file: oldFile(base), sizeBytes: plan.bases[base]!.sizeBytes }
      const next = { file: newFile(file), sizeBytes: plan.files[file]!.file.sizeBytes }
      const regions = await alignPieces(old, next, options.signal)
      return regions.map(ofPiece => ofPiece.map(region => ({ base, ...region })))
    },
  }
}

/** Wait for the end of all, and fail with the first failure: nothing is being written any more then. */
async function settleAll(running: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(running)) if (result.status === 'rejected') throw result.reason
}

/** Write files of a payload under their numbers instead of their paths: no folders are needed, and no path can matter. */
async function storeSide(
  { manifest, source }: DeltaSide,
  numbers: ReadonlyMap<string, number>,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  fs.mkdirSync(folder)
  const files = manifest.files.flatMap((entry): PayloadFile[] => {
    const number = numbers.get(entry.path)
    return number === undefined || entry.type !== 'file' ? [] : [{ ...entry, path: String(number), mode: 0o600 }]
  })
  const numbered = { ...manifest, files }
  await writeFiles({ manifest: numbered, wanted: 'all', source, folder, ...(signal === undefined ? {} : { signal }) })
}

interface WritePieces {
  readonly file: string
  readonly plan: DeltaPlan
  readonly options: CreateDeltaOptions
}

/** Compress pieces side by side, in other threads, and write them in their order. */
async function writePieces(
  planned: AsyncIterable<PlannedPiece>,
  stored: StoredFiles,
  { file, plan, options }: WritePieces,
): Promise<readonly DeltaPiece[]> {
  const totalBytes = plan.files.reduce((sum, each) => sum + each.file.sizeBytes, 0)
  const pieces: DeltaPiece[] = []
  const inFlight: { readonly piece: PlannedPiece; readonly compressed: Promise<Buffer> }[] = []
  const descriptor = fs.openSync(file, 'wx')
  let doneBytes = 0
  const writeFirst = async () => {
    const { piece, compressed } = inFlight.shift()!
    const bytes = await compressed
    fs.writeFileSync(descriptor, bytes)
    const { contentSizeBytes, dictionary } = piece
    pieces.push({ sizeBytes: bytes.byteLength, digest: digestOf(bytes), contentSizeBytes, dictionary })
    doneBytes += contentSizeBytes
    options.onProgress?.(doneBytes, totalBytes)
  }
  try {
    for await (const piece of planned) {
      options.signal?.throwIfAborted()
      const compressed = compressPlanned(piece, stored)
      // Awaited above in its turn; until then a failure must not count as unhandled.
      compressed.catch(() => undefined)
      inFlight.push({ piece, compressed })
      if (inFlight.length === piecesInFlight) await writeFirst()
    }
    while (inFlight.length > 0) await writeFirst()
  } finally {
    fs.closeSync(descriptor)
  }
  return pieces
}

function compressPlanned(piece: PlannedPiece, { newFile, oldFile }: StoredFiles): Promise<Buffer> {
  const content = readRanges(piece.content.map((range): FileRange => ({ ...range, file: newFile(range.file) })))
  return compressPiece(
    content,
    readDictionary(piece.dictionary.map(range => ({ ...range, file: oldFile(range.base) }))),
  )
}

function indexOf(plan: DeltaPlan, pieces: readonly DeltaPiece[], options: CreateDeltaOptions): DeltaIndex {
  const digestOfManifest = (manifest: PayloadManifest): Digest => digestOf(manifestBytes(manifest))
  const patch = makeManifestPatch(options.old.manifest, options.new.manifest)
  return {
    schema: 1,
    name: options.new.manifest.name,
    version: options.new.manifest.version,
    from: options.old.manifest.version,
    fromManifest: digestOfManifest(options.old.manifest),
    toManifest: digestOfManifest(options.new.manifest),
    encoder: `zstd ${process.versions.zstd}`,
    bases: plan.bases.map(({ path, sizeBytes, digest }) => ({ path, sizeBytes, digest })),
    copies: plan.copies,
    files: plan.files.map(({ file }) => file.path),
    pieces,
    ...(patch === undefined ? {} : { manifest: patch }),
  }
}

/** Put the head before the pieces. Post: the file is on disk. */
function assemble(
  file: string,
  head: Buffer,
  piecesFile: string,
): { readonly sizeBytes: number; readonly digest: Digest } {
  const digester = new Digester().update(head)
  const [from, to] = [fs.openSync(piecesFile, 'r'), fs.openSync(file, 'w')]
  try {
    fs.writeFileSync(to, head)
    const buffer = Buffer.allocUnsafeSlow(1024 * 1024)
    for (let read = -1; read !== 0; ) {
      read = fs.readSync(from, buffer, 0, buffer.byteLength, null)
      const bytes = buffer.subarray(0, read)
      fs.writeFileSync(to, bytes)
      digester.update(bytes)
    }
    fs.fsyncSync(to)
  } finally {
    fs.closeSync(from)
    fs.closeSync(to)
  }
  return { sizeBytes: digester.sizeBytes, digest: digester.digest() }
}
