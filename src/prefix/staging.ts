import { ReleaseError } from '../core/error.ts'
import { formatBytes } from '../core/quantity.ts'
import { sealFolders, treeSettings, writeFiles, writeFolders, writeLinks } from '../payload/extract.ts'
import { isPayloadFile } from '../payload/payload-file.ts'
import { openWriterFor } from '../payload/tree-threads.ts'
import type { TreeWriter } from '../payload/tree-writer.ts'
import { makeFolder } from '../sys/files.ts'
import { accountOf } from './account.ts'
import type { FileChange, ReleaseOrigin } from './file-change.ts'
import { currentVersion, isComplete } from './installed.ts'
import { releasePaths } from './layout.ts'
import { applyPack, isOurDisk, removePacks } from './patch.ts'
import { chooseWays, placeFiles } from './reuse.ts'
import { assertSpace, neededSpace } from './space.ts'
import {
  beginRelease,
  discardRelease,
  leftovers,
  markRelease,
  removeLeftovers,
  sealRelease,
  setReleaseAside,
} from './stage.ts'
import { planSegments, planStaging, type StagingPlan } from './staging-plan.ts'

/** How the files of a release came to be; counted while they are written. Units: bytes. */
export interface FileFigures {
  /** From this machine: linked, copied or moved. */
  reusedFiles: number
  /** From a delta pack or segments. */
  writtenFiles: number
  /** Of these, from a delta pack. */
  patchedFiles: number
  /** Of the delta pack that was of use. */
  deltaBytes: number
}

/** Writes the files of a release: what is on this machine already, then what has to be fetched. */
export class Staging {
  readonly #change: FileChange
  readonly figures: FileFigures = { reusedFiles: 0, writtenFiles: 0, patchedFiles: 0, deltaBytes: 0 }
  #begun: { readonly plan: StagingPlan; readonly writer: TreeWriter } | undefined
  /** What is there of an unfinished release saves the next run from fetching it: so after a kill, and when fetching broke off. */
  #isWorthKeeping = true

  constructor(change: FileChange) {
    this.#change = change
  }

  async begin(): Promise<string> {
    return await this.#interruptible(async () => {
      const { paths, version } = this.#change
      const { manifest } = this.#origin.documents
      makeFolder(paths.releases)
      markRelease(paths, version, manifest)
      const sources = this.#sources()
      const plan = planStaging(sources)
      const ways = chooseWays(plan.reused, manifest, { isGuarded: this.#isGuarded() })
      const placed = new Set(ways.filter(({ way }) => way !== 'copy').map(({ file }) => file.path))
      assertSpace(paths.releases, neededSpace(manifest, placed, plan.figures.deltaBytes))
      const writer = this.#makeTree()
      this.#begun = { plan, writer }
      const missed = await placeFiles(writer, ways, this.#placingOptions(ways.length))
      if (missed.size > 0) this.#begun = { plan: planStaging(sources, missed), writer }
      removeLeftovers(paths)
      this.figures.reusedFiles = ways.length - missed.size
      return `${this.figures.reusedFiles} of ${plan.figures.files} files are here already`
    })
  }

  async fetch(): Promise<string> {
    return await this.#interruptible(async () => {
      if (this.#begun === undefined) throw new Error('a release is fetched that was not begun')
      const { plan, writer } = this.#begun
      const { documents, source } = this.#origin
      const patched = await this.#patch(plan)
      const written = await this.#write(plan, patched, writer)
      await this.#close()
      const folder = this.#folder
      writeLinks(documents.manifest, folder)
      sealFolders(documents.manifest, folder)
      removePacks(this.#change.paths)
      this.figures.writtenFiles = patched.size + written
      const { deltaBytes } = this.figures
      const from = deltaBytes === 0 ? '' : `${formatBytes(deltaBytes)} of a delta pack and `
      return `${this.figures.writtenFiles} files from ${from}${formatBytes(source.fetchedBytes)} of ${source.describe()}`
    })
  }

  async seal(): Promise<string> {
    const { manifest } = this.#origin.documents
    await sealRelease(this.#change.paths, this.#change.version, manifest)
    return `${manifest.files.filter(isPayloadFile).length} files, durable`
  }

  /** Take back what was staged: keep it beside the releases when the next run can go on with it, else remove it. */
  async revert(): Promise<void> {
    const { paths, version } = this.#change
    await this.#close()
    // It was refused to begin.
    if (currentVersion(paths) === version) return
    if (this.#isWorthKeeping && !isComplete(paths, version)) return setReleaseAside(paths, version)
    discardRelease(paths, version)
    removeLeftovers(paths)
  }

  #makeTree(): TreeWriter {
    const { paths, version } = this.#change
    const { documents } = this.#origin
    const { manifest } = documents
    const files = manifest.files.filter(isPayloadFile)
    const work = { files: files.length, sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) }
    // First, so that threads start while folders are made.
    const writer = openWriterFor(work, treeSettings(manifest, this.#folder))
    beginRelease(paths, version, documents)
    writeFolders(manifest, this.#folder)
    return writer
  }

  /** Have a delta pack written, if one was planned; the paths of what it brought. */
  async #patch({ delta, reused }: StagingPlan): Promise<ReadonlySet<string>> {
    if (delta === undefined) return new Set()
    const present = new Set(reused.map(({ file }) => file.path))
    const files = await applyPack(this.#change, this.#origin.documents, { delta, present })
    if (files.size > 0) this.figures.deltaBytes = delta.offered.sizeBytes
    this.figures.patchedFiles = files.size
    return files
  }

  /** Write from segments what is still missing; how many files that was. */
  async #write(plan: StagingPlan, patched: ReadonlySet<string>, writer: TreeWriter): Promise<number> {
    const { signal, emit } = this.#change
    const { documents, source, locals } = this.#origin
    const { manifest } = documents
    const reused = new Set(plan.reused.map(({ file }) => file.path))
    const missing = manifest.files.filter(isPayloadFile).filter(({ path }) => !reused.has(path) && !patched.has(path))
    await writeFiles({
      manifest,
      wanted: new Set(missing.map(file => file.path)),
      source,
      folder: this.#folder,
      localSegments: planSegments({ manifest, locals }, missing).localSegments,
      writer,
      signal,
      onProgress: (done, total) =>
        emit({ kind: 'progress', step: 'fetch', what: 'files written', unit: 'bytes', done, total }),
    })
    return missing.length
  }

  #sources() {
    const { documents, locals, deltas } = this.#origin
    return { manifest: documents.manifest, locals: [...locals, ...leftovers(this.#change.paths)], deltas }
  }

  #isGuarded(): boolean {
    const account = accountOf(this.#change.recipe())
    return account !== undefined && account.uid !== 0
  }

  #placingOptions(total: number) {
    const { signal, emit } = this.#change
    const onProgress = (done: number) =>
      emit({ kind: 'progress', step: 'stage', what: 'files reused', unit: 'files', done, total })
    return { signal, onProgress }
  }

  /** Note whether what was interrupted can be gone on with: not when this machine has no room for it, or cannot read or write. */
  async #interruptible(work: () => Promise<string>): Promise<string> {
    this.#isWorthKeeping = false
    try {
      return await work()
    } catch (caught) {
      this.#isWorthKeeping = this.#change.signal.aborted || !(caught instanceof ReleaseError && isOurDisk(caught))
      throw caught
    }
  }

  async #close(): Promise<void> {
    const writer = this.#begun?.writer
    this.#begun = undefined
    await writer?.close()
  }

  get #folder(): string {
    return releasePaths(this.#change.paths, this.#change.version).root
  }

  get #origin(): ReleaseOrigin {
    if (this.#change.origin === undefined) throw new Error('a release is staged without an origin')
    return this.#change.origin
  }
}
