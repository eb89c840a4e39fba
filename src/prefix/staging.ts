import { formatBytes } from '../core/quantity.ts'
import { sealFolders, writeFiles, writeFolders, writeLinks } from '../payload/extract.ts'
import { makeFolder } from '../sys/files.ts'
import type { FileChange, ReleaseOrigin } from './file-change.ts'
import { releasePaths } from './layout.ts'
import { planReuse, reuseFiles } from './reuse.ts'
import { assertSpace, neededSpace } from './space.ts'
import { beginRelease, type StagedDocuments, sealRelease } from './stage.ts'

/** How the files of a release came to be; counted while they are written. */
export interface FileFigures {
  reusedFiles: number
  writtenFiles: number
}

/** Writes the files of a release: what is on this machine already, then what has to be fetched. */
export class Staging {
  readonly #change: FileChange
  readonly figures: FileFigures = { reusedFiles: 0, writtenFiles: 0 }
  #reused: ReadonlySet<string> = new Set()

  constructor(change: FileChange) {
    this.#change = change
  }

  async begin(): Promise<string> {
    const { paths, version, signal, emit } = this.#change
    const { documents, locals } = this.#origin
    const { manifest } = documents
    const folder = releasePaths(paths, version).root
    makeFolder(paths.releases)
    assertSpace(paths.releases, neededSpace(manifest))
    beginRelease(paths, version, documents)
    writeFolders(manifest, folder)
    const reusable = planReuse(manifest, locals)
    const total = reusable.length
    this.#reused = await reuseFiles(reusable, folder, {
      signal,
      onProgress: done => emit({ kind: 'progress', step: 'stage', what: 'files reused', unit: 'files', done, total }),
    })
    this.figures.reusedFiles = this.#reused.size
    return `${this.#reused.size} of ${fileCount(manifest)} files are here already`
  }

  async fetch(): Promise<string> {
    const { paths, version, signal, emit } = this.#change
    const { documents, source } = this.#origin
    const { manifest } = documents
    const folder = releasePaths(paths, version).root
    const wanted = new Set(
      manifest.files.filter(entry => entry.type === 'file' && !this.#reused.has(entry.path)).map(entry => entry.path),
    )
    await writeFiles({
      manifest,
      wanted,
      source,
      folder,
      signal,
      onProgress: (done, total) =>
        emit({ kind: 'progress', step: 'fetch', what: 'files written', unit: 'bytes', done, total }),
    })
    writeLinks(manifest, folder)
    sealFolders(manifest, folder)
    this.figures.writtenFiles = wanted.size
    return `${wanted.size} files from ${formatBytes(source.fetchedBytes)} of ${source.describe()}`
  }

  async seal(): Promise<string> {
    const { manifest } = this.#origin.documents
    await sealRelease(this.#change.paths, this.#change.version, manifest)
    return `${fileCount(manifest)} files, durable`
  }

  get #origin(): ReleaseOrigin {
    if (this.#change.origin === undefined) throw new Error('a release is staged without an origin')
    return this.#change.origin
  }
}

function fileCount(manifest: StagedDocuments['manifest']): number {
  return manifest.files.filter(entry => entry.type === 'file').length
}
