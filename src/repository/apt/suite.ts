import { digestOf } from '../../core/digest.ts'
import { ReleaseError } from '../../core/error.ts'
import { compareBytes } from '../../core/relative-path.ts'
import type { RepositoryDescription } from '../../trust/layout.ts'
import { type Document, immutable, pointer } from '../document.ts'
import type { AptKeyFile } from '../keys/key-file.ts'
import { byHashKey, byHashKeys, isListed, storedFiles } from './by-hash.ts'
import { makeContents } from './contents.ts'
import { compressedForms, plainForm } from './forms.ts'
import { fileOf, isSameGeneration, type MadeIndex, unreadable } from './index-files.ts'
import type { IndexChange } from './indexes.ts'
import { makePackages } from './packages.ts'
import { releaseDateMs, renderRelease } from './release.ts'
import {
  type AptPackage,
  type AptPackageKey,
  type IndexFile,
  type IndexGeneration,
  type IndexState,
  type ReleaseFileName,
  releaseFileNames,
  type SuiteState,
} from './state.ts'

/** Read a stored file whole. Errors: REPOSITORY_DAMAGED when it is missing or longer than `maxBytes`. */
export type ReadFile = (key: string, maxBytes: number) => Promise<Buffer>

/** What changes in a suite. */
export interface SuiteChange {
  readonly suite: string
  readonly description: RepositoryDescription
  readonly before: SuiteState | undefined
  readonly added: readonly AptPackage[]
  /** Taken out before the others are put in. */
  readonly removed: readonly AptPackageKey[]
  /** Whether `added` is all that the suite shall list: the indexes that are there are only superseded, not read. */
  readonly rebuild?: boolean
  readonly read: ReadFile
  /** All sign. */
  readonly keys: readonly AptKeyFile[]
  readonly nowMs: number
  /** By-hash keys that dated snapshots hold. */
  readonly kept: ReadonlySet<string>
  /** Given where several suites are made: what they have alike is made once. */
  readonly shared?: Map<string, Promise<MadeIndex>>
}

/** A suite after a change. */
export interface NextSuite {
  readonly state: SuiteState
  readonly documents: readonly Document[]
  /** Keys that no generation names any more. */
  readonly obsolete: readonly string[]
}

/** How many states of an index are kept, for clients that are still at work with an older Release file. */
const keptGenerations = 3

/** Architectures that are listed even without packages, so that a client of one sees a valid, empty suite. */
const usualArchitectures = ['all', 'amd64', 'arm64']

/**
 * Bring a suite to its next state: the indexes that change, and a new signed Release file in any case.
 *
 * Post: indexes are a function of the packages that are listed, however they came to be; one that lost its last package stays, empty.
 * Errors: REPOSITORY_DAMAGED (an index is not what the state says), PACKAGE_INVALID.
 */
export async function nextSuite(change: SuiteChange): Promise<NextSuite> {
  const { suite, description, before, keys } = change
  const { components, architectures } = extentOf(change)
  const made = await makeIndexes(change, components, architectures)
  const indexes = nextIndexes(change, made)
  const dateMs = releaseDateMs(change.nowMs, before?.dateMs)
  const notAutomatic = before?.notAutomatic ?? suite !== description.channels.at(-1)
  const signedBy = keys.map(key => key.fingerprint)
  const text = { suite, description, dateMs, notAutomatic, architectures, components, indexes, signedBy }
  const files = await releaseFiles(renderRelease(text), keys, dateMs)
  const state: SuiteState = {
    dateMs,
    notAutomatic,
    release: mapValues(files, fileOf),
    indexes,
  }
  return {
    state,
    documents: [...indexDocuments(change, made), ...releaseDocuments(suite, files)],
    obsolete: obsoleteKeys(change, state),
  }
}

/** The components and architectures of a suite: those that it ever had, and those that come. */
function extentOf({ before, added }: SuiteChange): Pick<IndexChange, 'components' | 'architectures'> {
  const known = Object.keys(before?.indexes ?? {}).flatMap(path => {
    const match = /^(.+)\/binary-([^/]+)\/Packages$/.exec(path)
    return match === null ? [] : [{ component: match[1]!, architecture: match[2]! }]
  })
  const all = [...known, ...added]
  return {
    components: sorted(['main', ...all.map(entry => entry.component)]),
    architectures: sorted([...usualArchitectures, ...all.map(entry => entry.architecture)]),
  }
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort(compareBytes)
}

async function makeIndexes(
  change: SuiteChange,
  components: readonly string[],
  architectures: readonly string[],
): Promise<ReadonlyMap<string, MadeIndex>> {
  const { suite, description, before, added, removed } = change
  const indexes: IndexChange = {
    settings: description.apt,
    components,
    architectures,
    added,
    removed,
    presentOf: path => presentOf(before, path),
    rebuild: change.rebuild === true,
    shared: change.shared ?? new Map(),
    reader: path => file => readVerified(change.read, byHashKey(suite, path, file), file),
  }
  const packages = await makePackages(indexes)
  return description.apt.contents ? new Map([...packages, ...(await makeContents(indexes))]) : packages
}

/** Read a file that a state names. Errors: REPOSITORY_DAMAGED. */
export async function readVerified(read: ReadFile, key: string, file: IndexFile): Promise<Buffer> {
  let bytes: Buffer
  try {
    bytes = await read(key, file.sizeBytes)
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'REPOSITORY_DAMAGED') throw unreadable(key, caught)
    throw caught
  }
  if (digestOf(bytes) !== file.digest) throw unreadable(key)
  return bytes
}

/** Put what was made behind the generations before it. Those of Contents go when they are no longer wanted. */
function nextIndexes(change: SuiteChange, made: ReadonlyMap<string, MadeIndex>): Readonly<Record<string, IndexState>> {
  const indexes: Record<string, IndexState> = {}
  for (const path of sorted([...Object.keys(change.before?.indexes ?? {}), ...made.keys()])) {
    if (!change.description.apt.contents && !path.endsWith('/Packages')) continue
    const generations = change.before?.indexes[path]?.generations ?? []
    const generation = made.get(path)?.generation
    const older = generations.filter(before => generation === undefined || !isSameGeneration(before, generation))
    indexes[path] = {
      generations: [...older, ...(generation === undefined ? [] : [generation])].slice(-keptGenerations),
    }
  }
  return indexes
}

/** Render what was made and differs from what is there: under its hash, and under its plain name for readers that know no other. */
function indexDocuments(change: SuiteChange, made: ReadonlyMap<string, MadeIndex>): readonly Document[] {
  const { suite } = change
  return [...made].flatMap(([path, { generation, files }]) => {
    const present = presentOf(change.before, path)
    // Whoever rebuilds does not trust that what should be there is there.
    const isThere = present !== undefined && isSameGeneration(present, generation)
    if (isThere && change.rebuild !== true) return []
    return storedFiles(path, generation).flatMap(([extension, file]) => {
      const bytes = files.get(extension)!
      const mediaType = mediaTypes.get(extension)!
      const byHash = immutable('indexes', byHashKey(suite, path, file), bytes, mediaType)
      // Built by hand: `pointer` copies, and the two must share their bytes.
      const plain: Document = {
        phase: 'pointer',
        key: plainKey(suite, path, extension),
        bytes,
        mediaType,
        immutable: false,
      }
      return isListed(path) ? [byHash, plain] : [byHash]
    })
  })
}

const mediaTypes: ReadonlyMap<string, string> = new Map(
  [plainForm, ...Object.values(compressedForms)].map(form => [form.extension, form.mediaType]),
)

/** Sign a Release file. */
async function releaseFiles(
  text: string,
  keys: readonly AptKeyFile[],
  dateMs: number,
): Promise<Readonly<Record<ReleaseFileName, Buffer>>> {
  // The library is large: what signs nothing goes without it.
  const { signRelease } = await import('./sign.ts')
  const { inRelease, detached } = await signRelease(text, keys, dateMs)
  return { Release: Buffer.from(text), 'Release.gpg': Buffer.from(detached), InRelease: Buffer.from(inRelease) }
}

/** InRelease is the last: it is what apt reads first. */
function releaseDocuments(suite: string, files: Readonly<Record<ReleaseFileName, Buffer>>): readonly Document[] {
  return [
    pointer(`dists/${suite}/Release`, files.Release, 'text/plain'),
    pointer(`dists/${suite}/Release.gpg`, files['Release.gpg'], 'application/pgp-signature'),
    pointer(`dists/${suite}/InRelease`, files.InRelease, 'text/plain'),
  ]
}

/** Every key that a suite has. */
export function suiteKeys(suite: string, state: SuiteState): readonly string[] {
  const release = releaseFileNames.map(name => `dists/${suite}/${name}`)
  return [...byHashKeys(suite, state), ...plainKeys(suite, state), ...release]
}

/** Whatever the state before named and the next one does not. */
function obsoleteKeys({ suite, before, kept }: SuiteChange, state: SuiteState): readonly string[] {
  if (before === undefined) return []
  const named = new Set([...suiteKeys(suite, state), ...kept])
  return sorted(suiteKeys(suite, before).filter(key => !named.has(key)))
}

function plainKeys(suite: string, state: SuiteState): ReadonlySet<string> {
  const paths = Object.keys(state.indexes).filter(isListed)
  return new Set(
    paths.flatMap(path =>
      storedFiles(path, presentOf(state, path) ?? {}).map(([extension]) => plainKey(suite, path, extension)),
    ),
  )
}

function plainKey(suite: string, path: string, extension: string): string {
  return `dists/${suite}/${path}${extension}`
}

/** The newest files of an index. */
function presentOf(state: SuiteState | undefined, path: string): IndexGeneration | undefined {
  return state?.indexes[path]?.generations.at(-1)
}

function mapValues<Key extends string, In, Out>(
  values: Readonly<Record<Key, In>>,
  map: (value: In) => Out,
): Readonly<Record<Key, Out>> {
  return Object.fromEntries(Object.entries<In>(values).map(([key, value]) => [key, map(value)])) as Record<Key, Out>
}
