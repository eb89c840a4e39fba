import fs from 'node:fs'
import type { Emit } from '../core/event.ts'
import { formatBytes } from '../core/quantity.ts'
import { sealFolders, writeFiles, writeFolders, writeLinks } from '../payload/extract.ts'
import type { SegmentSource } from '../payload/source.ts'
import type { InstalledRecipe } from '../recipe/node.ts'
import { makeFolder, replaceSymlink, syncFolder } from '../sys/files.ts'
import type { OpEffect } from './apply.ts'
import { type CommandContext, runNodeCommand } from './command.ts'
import type { PrefixIdentity } from './identity.ts'
import { currentVersion, isComplete } from './installed.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import { type LocalRelease, planReuse, reuseFiles } from './reuse.ts'
import { prepareRuntime } from './runtime.ts'
import { ensureSecrets } from './secrets.ts'
import { makeShared } from './shared.ts'
import { assertSpace, neededSpace } from './space.ts'
import { beginRelease, discardRelease, type StagedDocuments, sealRelease } from './stage.ts'
import { releaseValues } from './values.ts'

/** What the files of a release come from. */
export interface ReleaseOrigin {
  readonly documents: StagedDocuments
  readonly source: SegmentSource
  /** Installed releases that files are taken from, in this order. */
  readonly locals: readonly LocalRelease[]
}

/** What the operations on files work on. */
export interface FileChange {
  readonly paths: PrefixPaths
  readonly identity: PrefixIdentity
  readonly version: string
  readonly from: string | undefined
  readonly recipe: () => InstalledRecipe
  /** Undefined where nothing is staged: a rollback, a recovery. */
  readonly origin: ReleaseOrigin | undefined
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** How the files of a release came to be; counted while they are written. */
export interface FileFigures {
  reusedFiles: number
  writtenFiles: number
}

/** The effects of the operations that need nothing but the prefix. */
export interface FileEffects {
  readonly figures: Readonly<FileFigures>
  readonly stage: OpEffect
  readonly fetch: OpEffect
  readonly setup: OpEffect
  readonly verify: OpEffect
  readonly share: OpEffect
  readonly switch: OpEffect
  readonly migrate: (migration: string) => OpEffect
}

/** Bind the operations on files to a change. */
export function fileEffects(change: FileChange): FileEffects {
  const staging = new Staging(change)
  const never = () => false
  const keep = () => {}
  return {
    figures: staging.figures,
    stage: {
      isDone: never,
      apply: () => staging.begin(),
      revert: () => discardRelease(change.paths, change.version),
    },
    fetch: { isDone: never, apply: () => staging.fetch(), revert: keep },
    setup: { isDone: never, apply: () => setUp(change), revert: keep },
    verify: { isDone: () => isComplete(change.paths, change.version), apply: () => staging.seal(), revert: keep },
    share: { isDone: never, apply: () => share(change), revert: keep },
    switch: switchEffect(change),
    migrate: migration => ({ isDone: never, apply: () => migrate(change, migration), revert: keep }),
  }
}

class Staging {
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

async function setUp(change: FileChange): Promise<string> {
  const { paths, version, signal } = change
  const { runtime, setup } = change.recipe().node
  const prepared = await prepareRuntime({
    paths,
    version,
    runtime,
    values: commandContext(change, 'setup').values,
    signal,
  })
  // The values name the interpreter only now that it was chosen.
  const context = commandContext(change, 'setup')
  for (const command of setup) await runNodeCommand(command, 'SETUP_FAILED', context)
  return setup.length === 0 ? prepared : `${prepared}, ${setup.length} commands`
}

function share(change: FileChange): string | undefined {
  const { paths, version } = change
  const { values } = commandContext(change, 'share')
  makeFolder(paths.shared, { mode: 0o750 })
  const written = makeShared({ paths, version, node: change.recipe().node, values })
  return written.length === 0 ? undefined : `wrote ${written.join(', ')}`
}

async function migrate(change: FileChange, name: string): Promise<string> {
  const migration = change.recipe().node.migrations.find(each => each.name === name)
  if (migration === undefined) throw new Error(`the recipe of ${change.version} has no migration ${name}`)
  await runNodeCommand(migration, 'MIGRATION_FAILED', commandContext(change, `migrate:${name}`))
  return migration.rollback
}

function commandContext(change: FileChange, step: string): CommandContext {
  const { paths, identity, version, emit, signal } = change
  const recipe = change.recipe()
  const secrets = ensureSecrets(paths, recipe.node.secrets)
  const values = releaseValues({ paths, identity, recipe, version, secrets })
  return { release: releasePaths(paths, version).root, values, secrets, step, emit, signal }
}

function switchEffect({ paths, version, from }: FileChange): OpEffect {
  const pointTo = (release: string) => replaceSymlink(paths.current, `releases/${release}`)
  return {
    isDone: () => currentVersion(paths) === version,
    apply: () => {
      pointTo(version)
      return `${from ?? 'nothing'} → ${version}`
    },
    revert: () => {
      if (currentVersion(paths) === from) return
      if (from !== undefined) return pointTo(from)
      fs.rmSync(paths.current, { force: true })
      syncFolder(paths.root)
    },
  }
}

function fileCount(manifest: StagedDocuments['manifest']): number {
  return manifest.files.filter(entry => entry.type === 'file').length
}
