import zlib from 'node:zlib'
import { canonicalJson } from '../../core/canonical-json.ts'
import { digestOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { checkManifest, manifestBytes, type PayloadManifest, type Segment, segmentsOfContent } from '../manifest.ts'
import type { DeltaIndex } from './format.ts'

/** The largest manifest, without what follows from the rest, that is patched: with the one before it fits into the window. */
const largestOutlineBytes = 64 * 1024 * 1024
const largestWindowLog = 27

/**
 * Write what a manifest has that the one before it does not.
 *
 * Shape: base64 of zstd of the outline of the manifest as canonical JSON, against that of the one before as raw dictionary (a zero byte before
 * it: see {@link readDictionary}). An outline leaves out what follows from the rest: of a file its segments, of a segment its place; and counts a file's
 * place in the tar from the end of the one before it, so that a file that grew changes one entry rather than all behind it.
 * Post: undefined when the manifests are too large for it.
 */
export function makeManifestPatch(old: PayloadManifest, next: PayloadManifest): string | undefined {
  const dictionary = outlineDictionary(old)
  const content = outlineBytes(next)
  if (Math.max(dictionary.byteLength, content.byteLength) > largestOutlineBytes) return undefined
  const windowLog = Math.max(10, Math.ceil(Math.log2(dictionary.byteLength + content.byteLength)))
  const params = {
    [zlib.constants.ZSTD_c_compressionLevel]: 6,
    [zlib.constants.ZSTD_c_windowLog]: windowLog,
    [zlib.constants.ZSTD_c_hashLog]: 22,
  }
  return zlib.zstdCompressSync(content, { dictionary, params }).toString('base64')
}

/** A manifest that was made rather than fetched, and its canonical JSON. */
export interface PatchedManifest {
  readonly manifest: PayloadManifest
  readonly json: Buffer
}

/**
 * Make the manifest that a delta pack leads to from the one that it starts from.
 *
 * Post: it is the one that the pack names, and sound; undefined when the pack has no patch of it. Errors: DELTA_INVALID, MANIFEST_INVALID.
 */
export function patchManifest(index: DeltaIndex, old: PayloadManifest): PatchedManifest | undefined {
  if (index.manifest === undefined) return undefined
  const next = fromOutline(parseOutline(unpack(index.manifest, old)))
  const json = manifestBytes(next as PayloadManifest)
  const found = digestOf(json)
  if (found !== index.toManifest) throw invalid(`gives the manifest ${found}, expected ${index.toManifest}`)
  return { manifest: checkManifest(next), json }
}

/** A manifest without what follows from the rest. */
interface Outline {
  readonly segments: readonly Omit<Segment, 'index' | 'offset' | 'tarOffset'>[]
  readonly files: readonly {
    readonly type: string
    readonly digest: string
    readonly sizeBytes: number
    readonly tarOffset: number
  }[]
}

function outlineBytes(manifest: PayloadManifest): Buffer {
  let end = 0
  const files = manifest.files.map(entry => {
    if (entry.type !== 'file') return entry
    const { firstSegment: _first, lastSegment: _last, ...file } = entry
    const tarOffset = entry.tarOffset - end
    end = entry.tarOffset + entry.sizeBytes
    return { ...file, tarOffset }
  })
  const segments = manifest.segments.map(
    ({ index: _index, offset: _offset, tarOffset: _tarOffset, ...segment }) => segment,
  )
  return Buffer.from(canonicalJson({ ...manifest, segments, files }))
}

function outlineDictionary(manifest: PayloadManifest): Buffer {
  return Buffer.concat([Buffer.alloc(1), outlineBytes(manifest)])
}

function unpack(patch: string, old: PayloadManifest): Buffer {
  try {
    return zlib.zstdDecompressSync(Buffer.from(patch, 'base64'), {
      dictionary: outlineDictionary(old),
      maxOutputLength: largestOutlineBytes,
      params: { [zlib.constants.ZSTD_d_windowLogMax]: largestWindowLog },
    })
  } catch (caught) {
    throw invalid('has a patch of the manifest that does not decompress', caught)
  }
}

function parseOutline(bytes: Buffer): Outline {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    const { segments, files } = (value ?? {}) as Partial<Record<string, unknown>>
    if (isObjects(segments) && isObjects(files)) return value as Outline
  } catch (caught) {
    throw invalid('has a patch of the manifest that is not JSON', caught)
  }
  throw invalid('has a patch of something else than a manifest')
}

function isObjects(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0 && list.every(item => typeof item === 'object' && item !== null)
}

/** Put back what follows from the rest. What is not a number gives no manifest that anybody named. */
function fromOutline(outline: Outline): object {
  let [offset, tarOffset] = [0, 0]
  const segments = outline.segments.map((segment, index): Segment => {
    const placed = { ...segment, index, offset, tarOffset }
    offset += segment.sizeBytes
    tarOffset += segment.tarSizeBytes
    return placed
  })
  let end = 0
  const files = outline.files.map(file => {
    if (file.type !== 'file') return file
    const start = end + file.tarOffset
    end = start + file.sizeBytes
    // In the order of canonical JSON, which is written faster so.
    const { digest, ...rest } = file
    return { digest, ...segmentsOfContent(segments, start, file.sizeBytes), ...rest, tarOffset: start }
  })
  return { ...outline, segments, files }
}

function invalid(problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('DELTA_INVALID', `the delta pack ${problem}`, { cause })
}
