import { hexOf } from '../../core/digest.ts'
import type { IndexFile, IndexGeneration, SuiteState } from './state.ts'

/** Tell whether apt is told of an index; the others are only for who publishes. */
export function isListed(path: string): boolean {
  return path.endsWith('/Packages') || isContents(path)
}

function isContents(path: string): boolean {
  return /\/Contents-[^/]+$/.test(path)
}

/** The files of an index that are there to be fetched: of Contents the plain one is listed, as apt demands, and not stored. */
export function storedFiles(path: string, generation: IndexGeneration): readonly (readonly [string, IndexFile])[] {
  return Object.entries(generation).filter(([extension]) => extension !== '' || !isContents(path))
}

/** Where a file of an index is under its hash; `path` is the index's, without extension. Source: DebianRepository/Format, by-hash. */
export function byHashKey(suite: string, path: string, file: IndexFile): string {
  return `dists/${suite}/${path.slice(0, path.lastIndexOf('/'))}/by-hash/SHA256/${hexOf(file.digest)}`
}

/** All keys under which a suite has files by their hash, of every generation that it keeps. */
export function byHashKeys(suite: string, state: Pick<SuiteState, 'indexes'>): ReadonlySet<string> {
  return new Set(
    Object.entries(state.indexes).flatMap(([path, { generations }]) =>
      generations.flatMap(generation => storedFiles(path, generation).map(([, file]) => byHashKey(suite, path, file))),
    ),
  )
}
