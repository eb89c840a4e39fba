import fs from 'node:fs'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'
import type { ReadEntry } from 'tar'
import { Digester } from '../core/digest.ts'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import type { ImageLayer } from './oci-base.ts'

/** What a layer has at a path. */
export type LayerEntry =
  | { readonly kind: 'folder' }
  | { readonly kind: 'file'; readonly bytes: Buffer }
  | { readonly kind: 'link'; readonly target: string }
  /** Devices, pipes, hard links. */
  | { readonly kind: 'other' }

/** What reading a layer has shown. */
export interface ReadLayer {
  /** Paths at which it takes away what lower layers have; below an opaque folder only what is in it. */
  readonly removed: readonly { readonly path: string; readonly isOpaque: boolean }[]
  /** What it has at the paths that were asked for. */
  readonly entries: ReadonlyMap<string, LayerEntry>
}

const pieceBytes = 1024 * 1024
/** What is read into memory of a file in a layer: `etc/passwd` and its like are far smaller. */
const largestFileBytes = 32 * 1024 * 1024
const whiteout = '.wh.'
const opaque = '.wh..wh..opq'

/**
 * Read a layer whole: digest it, decompress it, digest its tar, and pick what is asked for out of it.
 *
 * `wants` is asked for every path of the tar, without a leading `/` or `./`.
 * Errors: IMAGE_INVALID (another digest or diff_id, does not decompress, no tar), FILE_IO.
 * Source: OCI image-spec layer.md §Whiteouts, config.md §Layer DiffID.
 */
export async function readLayer(layer: ImageLayer, wants: (path: string) => boolean): Promise<ReadLayer> {
  const { Parser } = await import('tar')
  const collected = new Collected(wants)
  // The layer's own compression was undone already.
  const parser = new Parser({ gzip: false, brotli: false, zstd: false, onReadEntry: entry => collected.take(entry) })
  const [blob, tar] = [new Digester(), new Digester()]
  try {
    await pipeline(
      fs.createReadStream(layer.file, { highWaterMark: pieceBytes }),
      async function* digested(pieces: AsyncIterable<Buffer>) {
        for await (const piece of pieces) {
          blob.update(piece)
          yield piece
        }
      },
      decoderOf(layer),
      async (pieces: AsyncIterable<Buffer>) => {
        for await (const piece of pieces) {
          tar.update(piece)
          parser.write(piece)
        }
      },
    )
  } catch (caught) {
    if (caught instanceof Error && 'syscall' in caught) throw toReleaseError(caught)
    throw layerError(layer, `does not decompress: ${(caught as Error).message}`, caught)
  }
  assertSame(layer, { digest: blob.digest(), diffId: tar.digest() })
  return collected
}

/** What a stack of layers has at the paths that were asked for, the upper ones hiding the lower ones. */
export function stackLayers(layers: readonly ReadLayer[]): ReadonlyMap<string, LayerEntry> {
  const stack = new Map<string, LayerEntry>()
  for (const { removed, entries } of layers) {
    for (const { path, isOpaque } of removed) {
      const below = path === '' ? '' : `${path}/`
      for (const each of stack.keys()) {
        if (each.startsWith(below) || (each === path && !isOpaque)) stack.delete(each)
      }
    }
    for (const [path, entry] of entries) stack.set(path, entry)
  }
  return stack
}

function decoderOf({ codec }: ImageLayer) {
  switch (codec) {
    case 'none':
      return async function* plain(pieces: AsyncIterable<Buffer>) {
        yield* pieces
      }
    case 'gzip':
      return zlib.createGunzip({ chunkSize: pieceBytes })
    case 'zstd':
      return zlib.createZstdDecompress({ chunkSize: pieceBytes })
  }
}

/** The entries of a tar that are wanted, as they come. */
class Collected implements ReadLayer {
  readonly removed: { path: string; isOpaque: boolean }[] = []
  readonly entries = new Map<string, LayerEntry>()
  readonly #wants: (path: string) => boolean

  constructor(wants: (path: string) => boolean) {
    this.#wants = wants
  }

  take(entry: ReadEntry): void {
    const path = entry.path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '')
    const slash = path.lastIndexOf('/')
    const name = path.slice(slash + 1)
    const folder = path.slice(0, Math.max(0, slash))
    if (name === opaque) this.removed.push({ path: folder, isOpaque: true })
    else if (name.startsWith(whiteout)) {
      const hidden = name.slice(whiteout.length)
      this.removed.push({ path: folder === '' ? hidden : `${folder}/${hidden}`, isOpaque: false })
    } else if (this.#wants(path)) this.#keep(path, entry)
    entry.resume()
  }

  #keep(path: string, entry: ReadEntry): void {
    switch (entry.type) {
      case 'Directory':
      case 'GNUDumpDir':
        this.entries.set(path, { kind: 'folder' })
        return
      case 'SymbolicLink':
        this.entries.set(path, { kind: 'link', target: entry.linkpath ?? '' })
        return
      case 'File':
      case 'OldFile':
      case 'ContiguousFile':
        this.#keepFile(path, entry)
        return
      default:
        this.entries.set(path, { kind: 'other' })
    }
  }

  #keepFile(path: string, entry: ReadEntry): void {
    if (entry.size > largestFileBytes) {
      this.entries.set(path, { kind: 'other' })
      return
    }
    const pieces: Buffer[] = []
    entry.on('data', piece => void pieces.push(piece))
    entry.on('end', () => void this.entries.set(path, { kind: 'file', bytes: Buffer.concat(pieces) }))
  }
}

function assertSame(layer: ImageLayer, found: Pick<ImageLayer, 'digest' | 'diffId'>): void {
  if (found.digest !== layer.digest) throw layerError(layer, `has ${found.digest}, expected ${layer.digest}`)
  if (found.diffId === layer.diffId) return
  throw layerError(layer, `holds a tar with ${found.diffId}, its configuration says ${layer.diffId}`)
}

function layerError({ file }: ImageLayer, problem: string, cause?: unknown): ReleaseError {
  return new ReleaseError('IMAGE_INVALID', `${file} ${problem}`, { cause, details: { path: file } })
}
