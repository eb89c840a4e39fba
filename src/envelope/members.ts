import { type Digest, Digester } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { rootFolders, tarEntryOf } from '../payload/entry.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { TarEntry } from '../payload/tar.ts'
import type { TarHandler } from '../payload/tar-reader.ts'

interface Expected {
  readonly entry: TarEntry
  readonly content?: { readonly digest: Digest; readonly tarOffset: number }
}

/**
 * Compare the members of a tar, as they are read, with what a manifest says of them; those after the payload are kept.
 *
 * Post: nothing after the payload takes the place of a part of it. Errors: ENVELOPE_MISMATCH.
 */
export class MemberComparison implements TarHandler {
  readonly #place: string
  readonly #expected: Iterator<Expected>
  /** The names that were there already, folders with their slash. */
  readonly #names = new Set<string>()
  #open: { readonly name: string; readonly digest: Digest; readonly digester: Digester } | undefined
  /** The members after the payload's. */
  readonly tail: TarEntry[] = []

  constructor(manifest: PayloadManifest, place: string) {
    this.#place = place
    this.#expected = expectedMembers(manifest)
  }

  readonly member = (found: TarEntry, contentOffset: number): void => {
    this.#closeFile()
    const next = this.#expected.next()
    this.#assertNew(found)
    if (next.done === true) {
      this.tail.push(found)
      return
    }
    const { entry, content } = next.value
    if (describe(found) !== describe(entry)) throw this.#error(`holds ${describe(found)}, expected ${describe(entry)}`)
    if (content === undefined) return
    if (content.tarOffset !== contentOffset) {
      throw this.#error(`holds ${entry.name} at byte ${contentOffset} of its tar, expected ${content.tarOffset}`)
    }
    this.#open = { name: entry.name, digest: content.digest, digester: new Digester() }
  }

  readonly content = (bytes: Uint8Array): void => {
    this.#open?.digester.update(bytes)
  }

  /** End it: nothing of the payload may be missing. */
  finish(): void {
    this.#closeFile()
    const next = this.#expected.next()
    if (next.done !== true) throw this.#error(`ends before ${describe(next.value.entry)}`)
  }

  /** A reader would take the later of two members of one name. */
  #assertNew({ name }: TarEntry): void {
    const other = name.endsWith('/') ? name.slice(0, -1) : `${name}/`
    if (this.#names.has(name) || this.#names.has(other)) throw this.#error(`holds ${name} a second time`)
    this.#names.add(name)
  }

  #closeFile(): void {
    if (this.#open === undefined) return
    const { name, digest, digester } = this.#open
    this.#open = undefined
    const found = digester.digest()
    if (found !== digest) throw this.#error(`holds ${name} with ${found}, expected ${digest}`)
  }

  #error(problem: string): ReleaseError {
    return new ReleaseError('ENVELOPE_MISMATCH', `${this.#place} ${problem}`, { details: { path: this.#place } })
  }
}

function* expectedMembers(manifest: PayloadManifest): Generator<Expected> {
  for (const entry of rootFolders(manifest.root)) yield { entry }
  for (const file of manifest.files) {
    const entry = tarEntryOf(manifest.root, file)
    yield file.type === 'file' ? { entry, content: file } : { entry }
  }
}

function describe(entry: TarEntry): string {
  switch (entry.type) {
    case 'directory':
      return `folder ${entry.name} (mode ${entry.mode.toString(8)})`
    case 'file':
      return `file ${entry.name} (mode ${entry.mode.toString(8)}, ${entry.sizeBytes} bytes)`
    case 'symlink':
      return `link ${entry.name} → ${entry.linkTarget}`
  }
}
