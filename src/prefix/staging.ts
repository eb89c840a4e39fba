import { ReleaseError } from '../core/error.ts'
import { formatBytes } from '../core/quantity.ts'
import { sealFolders, treeSettings, writeFiles, writeFolders, writeLinks } from '../payload/extract.ts'
import type { LocalFile } from '../payload/local-file.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
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
  #begun: { readonly plan: StagingPlan; readonly ways: readonly LocalFile[]; readonly writer: TreeWriter } | undefined
  /** What is there of an unfinished release saves the next run from fetching it: so after a kill, and when fetching broke off. */
  #isWorthKeeping = true

  constructor(change: FileChange) {
    this.#change = change
  }

  /** Make the folder of the release, once it is known what will be in it and that there is room for that. */
  async begin(): Promise<string> {
    return await this.#interruptible(async () => {
      const { paths, version } = this.#change
      const { documents, locals, deltas } = this.#origin
      const { manifest } = documents
      makeFolder(paths.releases)
      markRelease(paths, version, manifest)
      const plan = planStaging({ manifest, locals: [...locals, ...leftovers(paths)], deltas })
      const ways = chooseWays(plan.reused, manifest, { isGuarded: this.#isGuarded() })
      const placed = new Set(ways.filter(({ way }) => way !== 'copy').map(({ file }) => file.path))
      assertSpace(paths.releases, neededSpace(manifest, placed, plan.figures.deltaBytes))
      // Before folders are made, so that threads start meanwhile.
      this.#begun = { plan, ways, writer: openWriterFor(workOf(manifest), treeSettings(manifest, this.#folder)) }
      beginRelease(paths, version, documents)
      writeFolders(manifest, this.#folder)
      return `${ways.length} of ${plan.figures.files} files are here already`
    })
  }

  /** Write the files: those that are here, and meanwhile what has to be fetched; then what turned out not to be here after all. */
  async fetch(): Promise<string> {
    return await this.#interruptible(async () => {
      if (this.#begun === undefined) throw new Error('a release is fetched that was not begun')
      const { documents, source } = this.#origin
      const { plan, ways, writer } = this.#begun
      const stop = new AbortController()
      const signal = AbortSignal.any([stop.signal, this.#change.signal])
      const [missed, unpatched] = await together(stop, [
        placeFiles(writer, ways, { signal, onProgress: this.#tellPlaced(ways.length) }),
        this.#fetchPlanned(plan, writer, signal),
      ])
      await this.#write([...missed, ...unpatched], writer, this.#change.signal)
      await this.#close()
      writeLinks(documents.manifest, this.#folder)
      sealFolders(documents.manifest, this.#folder)
      removeLeftovers(this.#change.paths)
      removePacks(this.#change.paths)
      this.figures.reusedFiles = ways.length - missed.size
      this.figures.writtenFiles = plan.figures.files - this.figures.reusedFiles
      const { deltaBytes } = this.figures
      const from = deltaBytes === 0 ? '' : `${formatBytes(deltaBytes)} of a delta pack and `
      return `${this.figures.writtenFiles} files from ${from}${formatBytes(source.fetchedBytes)} of ${source.describe()}`
    })
  }

  async seal(): Promise<string> {
    const { paths, version, recipe } = this.#change
    const { manifest } = this.#origin.documents
    await sealRelease(paths, version, { manifest, node: recipe().node })
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

  /** Write what is known not to be here; the paths of what a delta pack should have brought and did not. */
  async #fetchPlanned(plan: StagingPlan, writer: TreeWriter, signal: AbortSignal): Promise<readonly string[]> {
    await this.#write(
      plan.written.map(file => file.path),
      writer,
      signal,
    )
    if (plan.delta === undefined) return []
    const present = new Set(plan.reused.map(({ file }) => file.path))
    const change = { ...this.#change, signal }
    const patched = await applyPack(change, this.#origin.documents, { delta: plan.delta, present })
    if (patched.size > 0) this.figures.deltaBytes = plan.delta.offered.sizeBytes
    this.figures.patchedFiles = patched.size
    return plan.patched.map(file => file.path).filter(name => !patched.has(name))
  }

  /** Write files from segments. */
  async #write(names: readonly string[], writer: TreeWriter, signal: AbortSignal): Promise<void> {
    if (names.length === 0) return
    const { documents, source, locals } = this.#origin
    const { manifest } = documents
    const wanted = new Set(names)
    const written = manifest.files.filter(isPayloadFile).filter(file => wanted.has(file.path))
    const { localSegments } = planSegments({ manifest, locals }, written)
    const { emit } = this.#change
    const onProgress = (done: number, total: number) =>
      emit({ kind: 'progress', step: 'fetch', what: 'files written', unit: 'bytes', done, total })
    await writeFiles({ manifest, wanted, source, folder: this.#folder, localSegments, writer, signal, onProgress })
  }

  #isGuarded(): boolean {
    const account = accountOf(this.#change.recipe())
    return account !== undefined && account.uid !== 0
  }

  #tellPlaced(total: number) {
    const { emit } = this.#change
    return (done: number) => emit({ kind: 'progress', step: 'fetch', what: 'files reused', unit: 'files', done, total })
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

/** Wait for both, also when one fails: nothing is written any more then. Errors: what failed first. */
async function together<A, B>(stop: AbortController, [a, b]: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  for (const running of [a, b]) running.catch(caught => stop.abort(caught))
  const [first, second] = await Promise.allSettled([a, b])
  if (first.status === 'fulfilled' && second.status === 'fulfilled') return [first.value, second.value]
  throw stop.signal.reason
}

/** How much there is to write. */
function workOf({ files }: PayloadManifest): { readonly files: number; readonly sizeBytes: number } {
  return {
    files: files.length,
    sizeBytes: files.reduce((sum, entry) => sum + (entry.type === 'file' ? entry.sizeBytes : 0), 0),
  }
}
