import fs from 'node:fs'
import path from 'node:path'
import { type Digest, digestOf } from '../core/digest.ts'
import { toReleaseError } from '../core/error.ts'
import type { Tree, TreeEntry } from '../core/tree.ts'
import { type Problem, Unreadable } from './unreadable.ts'

/** A file of a payload, with where its bytes are. */
export type PayloadFile = Extract<TreeEntry, { readonly type: 'file' }>

/** Larger files describe no package: they are attacks or accidents. */
const maxTextBytes = 4 * 1024 * 1024
/** Links that lead to links are followed this often, as the kernel would some forty times. */
const maxLinkSteps = 8

/** A payload's tree as the finders of packages read it: nothing but what is packed, and nothing that fails a release. */
export class PayloadView {
  readonly problems: Problem[] = []
  /** What was read, to be compared with what was packed. */
  readonly digests = new Map<string, Digest>()
  readonly #tree: Tree
  readonly #entries: ReadonlyMap<string, TreeEntry>

  constructor(tree: Tree) {
    this.#tree = tree
    this.#entries = new Map(tree.entries.map(entry => [entry.path, entry]))
  }

  /** List the files whose path ends in one of some ways, in the order of the tree: the one question that is asked of all of them. */
  files(...endings: readonly string[]): readonly PayloadFile[] {
    return this.#tree.entries.filter((entry): entry is PayloadFile => {
      return entry.type === 'file' && endings.some(ending => entry.path.endsWith(ending))
    })
  }

  /** List the symbolic links with where each leads. */
  links(): readonly { readonly path: string; readonly target: string }[] {
    const links = this.#tree.entries.filter(entry => entry.type === 'symlink')
    return links.map(link => ({ path: link.path, target: this.real(link.path) }))
  }

  has(path: string): boolean {
    return this.#entries.has(path)
  }

  /** Follow a path that is a link to what it names, as far as that is in the payload. */
  real(place: string): string {
    let current = place
    for (let step = 0; step < maxLinkSteps; step += 1) {
      const entry = this.#entries.get(current)
      if (entry?.type !== 'symlink') return current
      current = path.posix.join(path.posix.dirname(current), entry.linkTarget)
    }
    return current
  }

  /** Read a file as text; undefined, with a problem, when it is too large. Errors: FILE_IO. */
  text(file: PayloadFile): string | undefined {
    if (file.sizeBytes > maxTextBytes) {
      this.problems.push({ path: file.path, reason: `is larger than ${maxTextBytes} bytes` })
      return undefined
    }
    const bytes = readSource(file.source)
    this.digests.set(file.path, digestOf(bytes))
    return bytes.toString('utf8')
  }

  /** Read a file as text when the payload has it. */
  textAt(place: string): string | undefined {
    const entry = this.#entries.get(place)
    return entry?.type === 'file' ? this.text(entry) : undefined
  }

  /** Look at one thing; what makes it unreadable is noted and the result undefined. */
  attempt<T>(place: string, look: () => T): T | undefined {
    try {
      return look()
    } catch (caught) {
      this.#note(place, caught)
      return undefined
    }
  }

  /** {@link attempt} for what takes time. */
  async attemptLater<T>(place: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look()
    } catch (caught) {
      this.#note(place, caught)
      return undefined
    }
  }

  #note(place: string, caught: unknown): void {
    if (!(caught instanceof Unreadable)) throw caught
    this.problems.push({ path: place, reason: caught.message })
  }
}

/** Parse a JSON object. Errors: Unreadable. */
export function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Unreadable('is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unreadable('is not a JSON object')
  return value as Readonly<Record<string, unknown>>
}

function readSource(source: string): Buffer {
  try {
    return fs.readFileSync(source)
  } catch (caught) {
    throw toReleaseError(caught)
  }
}
