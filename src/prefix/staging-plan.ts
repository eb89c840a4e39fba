import path from 'node:path'
import type { Digest } from '../core/digest.ts'
import type { FileRange } from '../payload/delta/ranges.ts'
import { neededSegments } from '../payload/extract.ts'
import type { PayloadManifest, Segment } from '../payload/manifest.ts'
import { isPayloadFile, type PayloadFile } from '../payload/payload-file.ts'
import type { OfferedDelta } from './file-change.ts'
import type { LocalRelease } from './local-release.ts'
import { planReuse, type ReusableFile } from './reuse.ts'

/** What the files of a release can come from. */
export interface StagingSources {
  readonly manifest: PayloadManifest
  /** Releases on this machine; files are taken from the first that has them. */
  readonly locals: readonly LocalRelease[]
  readonly deltas: readonly OfferedDelta[]
}

/** A delta pack that is to be fetched, and the release on this machine that it starts from. */
export interface PlannedDelta {
  readonly offered: OfferedDelta
  readonly local: LocalRelease
}

/** How each file of a release comes to be, with the least to fetch. */
export interface StagingPlan {
  /** Files whose content is on this machine, with the places that should have it. */
  readonly reused: readonly ReusableFile[]
  readonly delta: PlannedDelta | undefined
  /** The files that the delta pack brings. */
  readonly patched: readonly PayloadFile[]
  /** The files that are written from segments. */
  readonly written: readonly PayloadFile[]
  /** The segments to fetch for these, ascending. */
  readonly segments: readonly Segment[]
  /** Segments whose content is a stretch of a file on this machine, by their index. */
  readonly localSegments: ReadonlyMap<number, FileRange>
  readonly figures: StagingFigures
}

/** What a plan comes to. Units: bytes; `fetchBytes` is all that is asked for, without the manifest, and `wholeBytes` what everything would be. */
export interface StagingFigures {
  readonly files: number
  readonly reusedFiles: number
  readonly patchedFiles: number
  readonly writtenFiles: number
  /** Of the delta pack; 0 when none is fetched. */
  readonly deltaBytes: number
  readonly segmentBytes: number
  readonly fetchBytes: number
  readonly wholeBytes: number
}

/**
 * Find the way to each file of a release that has the least to fetch.
 *
 * Pure. Whole files come from this machine where it has them; for the rest, a delta pack is taken when it and the segments that it
 * leaves are less than the segments alone; of those, the ones that are stretches of local files are not fetched.
 * Post: every file of the manifest is in exactly one of `reused`, `patched` and `written`. `without` are paths that turned out not
 * to be on this machine after all.
 */
export function planStaging(sources: StagingSources, without: ReadonlySet<string> = new Set()): StagingPlan {
  const { manifest, locals } = sources
  const reused = planReuse(manifest, locals).filter(({ file }) => !without.has(file.path))
  const isReused = new Set(reused.map(({ file }) => file.path))
  const missing = manifest.files.filter(isPayloadFile).filter(file => !isReused.has(file.path))
  const stretches = localStretches(missing.some(isCut) ? locals : [])
  const fromSegments = waySegments(manifest, missing, stretches)
  const ways = [fromSegments, ...deltaWays(sources, missing, stretches)]
  const least = ways.reduce((best, way) => (way.fetchBytes < best.fetchBytes ? way : best))
  return { reused, ...least.plan, figures: figuresOf(manifest, reused, least) }
}

/**
 * Find the segments that hold some files, and which of them are on this machine. Pure. Pre: `written` is in the order of the manifest.
 *
 * Post: as the members of {@link StagingPlan}.
 */
export function planSegments(
  { manifest, locals }: Pick<StagingSources, 'manifest' | 'locals'>,
  written: readonly PayloadFile[],
): Pick<StagingPlan, 'segments' | 'localSegments'> {
  return waySegments(manifest, written, localStretches(written.some(isCut) ? locals : [])).plan
}

type WayPlan = Omit<StagingPlan, 'reused' | 'figures'>

/** A way to the files that this machine does not have. */
interface Way {
  readonly plan: WayPlan
  readonly fetchBytes: number
}

function waySegments(
  manifest: PayloadManifest,
  written: readonly PayloadFile[],
  stretches: ReadonlyMap<Digest, FileRange>,
): Way {
  const needed = neededSegments(manifest, written)
  const localSegments = new Map<number, FileRange>()
  for (const { index, tarDigest } of needed) {
    const stretch = stretches.get(tarDigest)
    if (stretch !== undefined) localSegments.set(index, stretch)
  }
  const segments = needed.filter(({ index }) => !localSegments.has(index))
  const plan = { delta: undefined, patched: [], written, segments, localSegments }
  return { plan, fetchBytes: sizeOf(segments) }
}

function deltaWays(
  { manifest, locals, deltas }: StagingSources,
  missing: readonly PayloadFile[],
  stretches: ReadonlyMap<Digest, FileRange>,
): readonly Way[] {
  if (missing.length === 0) return []
  return deltas.flatMap(offered => {
    const local = locals.find(each => each.version === offered.fromVersion)
    if (local?.manifest === undefined || local.manifestDigest !== offered.fromManifest) return []
    // A pack brings what is not under the same path in the release that it starts from; what is, and is damaged, comes from segments.
    const kept = new Map(local.manifest.files.filter(isPayloadFile).map(file => [file.path, file.digest]))
    const isBrought = (file: PayloadFile) => kept.get(file.path) !== file.digest
    const patched = missing.filter(isBrought)
    if (patched.length === 0) return []
    const rest = missing.filter(file => !isBrought(file))
    const { plan, fetchBytes } = waySegments(manifest, rest, stretches)
    const delta = { offered, local }
    return [{ plan: { ...plan, delta, patched }, fetchBytes: fetchBytes + offered.sizeBytes }]
  })
}

/** Only the segments between its first and its last are a large file's alone. */
function isCut(file: PayloadFile): boolean {
  return file.lastSegment - file.firstSegment > 1
}

/** The segments of local releases that hold nothing but a stretch of one large file, by the digest of their content. */
function localStretches(locals: readonly LocalRelease[]): ReadonlyMap<Digest, FileRange> {
  const stretches = new Map<Digest, FileRange>()
  for (const { root, manifest } of locals) {
    if (manifest === undefined) continue
    for (const file of manifest.files) {
      if (file.type !== 'file' || !isCut(file)) continue
      for (let index = file.firstSegment; index <= file.lastSegment; index += 1) {
        const { tarOffset, tarSizeBytes: sizeBytes, tarDigest } = manifest.segments[index]!
        const offset = tarOffset - file.tarOffset
        if (offset < 0 || offset + sizeBytes > file.sizeBytes || stretches.has(tarDigest)) continue
        stretches.set(tarDigest, { file: path.join(root, file.path), offset, sizeBytes })
      }
    }
  }
  return stretches
}

function figuresOf(
  manifest: PayloadManifest,
  reused: readonly ReusableFile[],
  { plan, fetchBytes }: Way,
): StagingFigures {
  const deltaBytes = plan.delta?.offered.sizeBytes ?? 0
  return {
    files: reused.length + plan.patched.length + plan.written.length,
    reusedFiles: reused.length,
    patchedFiles: plan.patched.length,
    writtenFiles: plan.written.length,
    deltaBytes,
    segmentBytes: fetchBytes - deltaBytes,
    fetchBytes,
    wholeBytes: manifest.segmentsSizeBytes,
  }
}

function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
}
