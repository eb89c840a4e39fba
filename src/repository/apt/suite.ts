import { gzipSync } from 'node:zlib'
import { type Digest, digestOf, hexOf } from '../../core/digest.ts'
import { compareBytes } from '../../core/relative-path.ts'
import { type Document, immutable, pointer } from '../document.ts'

/** The suites of every repository: `stable` has releases, `edge` pre-releases and snapshots of branches. */
export const suites = ['stable', 'edge'] as const
/** One of {@link suites}. */
export type Suite = (typeof suites)[number]

/** A package as a suite lists it. */
export interface SuiteEntry {
  readonly architecture: string
  readonly stanza: string
}

/** A suite rendered: everything but the signature. */
export interface RenderedSuite {
  readonly documents: readonly Document[]
  /** The text of `Release`, to be signed. */
  readonly release: string
}

/** Architectures that are listed even without packages, so that a client of one sees a valid, empty suite. */
const usualArchitectures = ['all', 'amd64', 'arm64']

/**
 * Render the indexes of a suite and its Release text.
 *
 * Packages of architecture `all` are listed once, in binary-all, which apt fetches beside its own because `all` is among
 * the Architectures. Release lists the uncompressed file, as apt demands, though only the compressed one is stored.
 *
 * Pre: entries in the order in which they shall be listed; nowMs is not in the future of any client.
 * Source: DebianRepository/Format; apt asks for by-hash/SHA256 first and falls back to the plain name.
 */
export function renderSuite(options: {
  readonly suite: Suite
  readonly repositoryName: string
  readonly entries: readonly SuiteEntry[]
  readonly nowMs: number
}): RenderedSuite {
  const { suite, entries } = options
  const architectures = [...new Set([...usualArchitectures, ...entries.map(entry => entry.architecture)])]
  const documents: Document[] = []
  const listed: ListedFile[] = []
  for (const architecture of architectures.toSorted(compareBytes)) {
    const stanzas = entries.filter(entry => entry.architecture === architecture).map(entry => entry.stanza)
    const plain = Buffer.from(stanzas.join('\n'))
    const compressed = gzipSync(plain, { level: 9 })
    const folder = `main/binary-${architecture}`
    listed.push(listedFile(`${folder}/Packages`, plain), listedFile(`${folder}/Packages.gz`, compressed))
    const byHash = `dists/${suite}/${folder}/by-hash/SHA256/${hexOf(digestOf(compressed))}`
    documents.push(immutable('indexes', byHash, compressed, 'application/gzip'))
    documents.push(pointer(`dists/${suite}/${folder}/Packages.gz`, compressed, 'application/gzip'))
  }
  return { documents, release: renderRelease({ ...options, architectures, listed }) }
}

interface ListedFile {
  readonly path: string
  readonly sizeBytes: number
  readonly digest: Digest
}

function listedFile(path: string, bytes: Buffer): ListedFile {
  return { path, sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
}

/** Origin, Label and Codename never change: apt refuses a repository whose do until a person agrees. */
function renderRelease(options: {
  readonly suite: Suite
  readonly repositoryName: string
  readonly architectures: readonly string[]
  readonly listed: readonly ListedFile[]
  readonly nowMs: number
}): string {
  const lines = [
    `Origin: ${options.repositoryName}`,
    `Label: ${options.repositoryName}`,
    `Suite: ${options.suite}`,
    `Codename: ${options.suite}`,
    `Date: ${new Date(options.nowMs).toUTCString().replace('GMT', '+0000')}`,
    `Architectures: ${options.architectures.toSorted(compareBytes).join(' ')}`,
    'Components: main',
    `Description: ${options.suite === 'stable' ? 'Releases' : 'Pre-releases and snapshots'}`,
    'Acquire-By-Hash: yes',
    // Only the hash that by-hash is stored for: apt asks for the strongest one that is listed.
    'SHA256:',
    ...options.listed.map(file => ` ${hexOf(file.digest)} ${file.sizeBytes} ${file.path}`),
  ]
  return `${lines.join('\n')}\n`
}

/** Put a signature's files beside the indexes: InRelease last, for it is what apt reads. */
export function suitePointers(
  suite: Suite,
  release: string,
  signed: { readonly inRelease: string; readonly detached: string },
): readonly Document[] {
  return [
    pointer(`dists/${suite}/Release`, release, 'text/plain'),
    pointer(`dists/${suite}/Release.gpg`, signed.detached, 'application/pgp-signature'),
    pointer(`dists/${suite}/InRelease`, signed.inRelease, 'text/plain'),
  ]
}

/** Render what an apt client adds to its sources, the key included. Source: sources.list(5), deb822 style. */
export function renderSources(options: {
  readonly url: string
  readonly suite: Suite
  readonly aptKey: string
}): string {
  const key = options.aptKey
    .trim()
    .split(/\r?\n/)
    .map(line => (line === '' ? ' .' : ` ${line}`))
  return `Types: deb\nURIs: ${options.url}\nSuites: ${options.suite}\nComponents: main\nSigned-By:\n${key.join('\n')}\n`
}
