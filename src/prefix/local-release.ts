import fs from 'node:fs'
import path from 'node:path'
import { type Digest, digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { manifestJson, type PayloadManifest, parseManifest } from '../payload/manifest.ts'
import { readFile } from '../sys/files.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'

/** A release on this machine that files can be taken from. */
export interface LocalRelease {
  readonly version: string
  readonly root: string
  /** What it should consist of; undefined when that cannot be read, and then nothing is taken from it. */
  readonly manifest: PayloadManifest | undefined
  /** The digest of its manifest as canonical JSON: what a delta pack starts from is named by it. */
  readonly manifestDigest: Digest | undefined
  /** Nobody needs it any more, so that its files are moved rather than copied: what a killed run left. */
  readonly isLeftover?: boolean
}

/**
 * Name an installed release as a place that files can be taken from.
 *
 * Its manifest is read when it is asked for, for that takes longer than all else that is done with a release of which nothing is needed.
 */
export function openLocalRelease(paths: PrefixPaths, version: string): LocalRelease {
  const { root, manifest } = releasePaths(paths, version)
  return new StoredRelease({ version, root, isLeftover: false }, manifest)
}

/** Name a folder that was to become a release, to take from it what is there. */
export function openLeftover(folder: string): LocalRelease {
  return new StoredRelease({ version: '', root: folder, isLeftover: true }, path.join(folder, '.cutover', 'manifest'))
}

/** Reads the manifest once. */
class StoredRelease implements LocalRelease {
  readonly version: string
  readonly root: string
  readonly isLeftover: boolean
  readonly #file: string
  #read: ReadManifest | undefined

  constructor({ version, root, isLeftover }: Pick<StoredRelease, 'version' | 'root' | 'isLeftover'>, file: string) {
    this.version = version
    this.root = root
    this.isLeftover = isLeftover
    this.#file = file
  }

  get manifest(): PayloadManifest | undefined {
    return this.#content.manifest
  }

  get manifestDigest(): Digest | undefined {
    return this.#content.manifestDigest
  }

  get #content(): ReadManifest {
    this.#read ??= this.isLeftover ? present(readManifest(this.#file), this.root) : readManifest(this.#file)
    return this.#read
  }
}

type ReadManifest = Pick<LocalRelease, 'manifest' | 'manifestDigest'>

/** Leave out what was not written any more, so that nobody counts on it. */
function present({ manifest }: ReadManifest, root: string): ReadManifest {
  if (manifest === undefined) return { manifest, manifestDigest: undefined }
  const isThere = (name: string) => fs.lstatSync(path.join(root, name), { throwIfNoEntry: false })?.isFile() === true
  const files = manifest.files.filter(entry => entry.type === 'file' && isThere(entry.path))
  return { manifest: { ...manifest, files }, manifestDigest: undefined }
}

/** A release whose manifest is damaged is no reason not to install another. */
function readManifest(file: string): ReadManifest {
  try {
    const json = manifestJson(readFile(file))
    return { manifest: parseManifest(json), manifestDigest: digestOf(json) }
  } catch (caught) {
    if (caught instanceof ReleaseError) return { manifest: undefined, manifestDigest: undefined }
    throw caught
  }
}
