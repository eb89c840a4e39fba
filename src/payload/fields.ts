import { ReleaseError } from '../core/error.ts'

/** What a document that cannot be accepted is reported as. */
type InvalidCode = 'MANIFEST_INVALID' | 'RECORD_INVALID' | 'DELTA_INVALID' | 'DOCUMENT_INVALID'

/** Nobody's recipe goes so deep. */
const deepestLevel = 100

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name]
    // Most members of a large document are no objects: not even a call for each.
    if (typeof member === 'object' && isDeeper(member, levels - 1)) return true
  }
  return false
}

/**
 * Read the members of an object that came from outside, one by one, each with its type and bounds.
 *
 * Errors: the code given, with the place, the member, what was expected and what was found.
 */
export class Fields {
  readonly #value: Readonly<Record<string, unknown>>
  readonly #code: InvalidCode
  readonly #place: string

  /** `parent` is given for a member: how deep it nests was looked at with its document. */
  constructor(value: unknown, code: InvalidCode, place: string, parent?: Fields) {
    this.#code = code
    this.#place = place
    // JSON is parsed without recursion, but whatever is done with it later recurses.
    if (parent === undefined && isDeeper(value, deepestLevel))
      throw this.error(`nests deeper than ${deepestLevel} levels`)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.error('is not an object')
    this.#value = value as Readonly<Record<string, unknown>>
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#value, name)
  }

  /** A string, optionally of a form. */
  text(name: string, form: (text: string) => boolean = () => true): string {
    const value = this.#own(name)
    if (typeof value !== 'string' || !form(value)) throw this.unexpected(name, 'a string of its form')
    return value
  }

  optionalText(name: string, form?: (text: string) => boolean): string | undefined {
    return this.has(name) ? this.text(name, form) : undefined
  }

  /** A whole number within bounds, both included. */
  integer(name: string, min: number, max: number): number {
    const value = this.#own(name)
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
      throw this.unexpected(name, `a whole number from ${min} to ${max}`)
    }
    return value as number
  }

  boolean(name: string): boolean {
    const value = this.#own(name)
    if (typeof value !== 'boolean') throw this.unexpected(name, 'true or false')
    return value
  }

  /** One of some words. */
  choice<T extends string>(name: string, words: readonly T[]): T {
    const value = this.#own(name)
    if (!words.includes(value as T)) throw this.unexpected(name, `one of ${words.join(', ')}`)
    return value as T
  }

  /** An object of its own. */
  object(name: string): Fields {
    return new Fields(this.#own(name), this.#code, `${this.#place}.${name}`, this)
  }

  /** A list of objects, no longer than it may be, each with its index. */
  *objects(name: string, most = Number.POSITIVE_INFINITY): Generator<[Fields, number]> {
    const list = this.#own(name)
    if (!Array.isArray(list)) throw this.unexpected(name, 'a list')
    if (list.length > most) throw this.error(`has ${list.length} ${name}, expected at most ${most}`)
    for (const [index, value] of list.entries()) {
      yield [new Fields(value, this.#code, `${this.#place}.${name}[${index}]`, this), index]
    }
  }

  /** A list of strings. */
  texts(name: string): readonly string[] {
    const list = this.#own(name)
    if (!Array.isArray(list) || !list.every(text => typeof text === 'string')) {
      throw this.unexpected(name, 'a list of strings')
    }
    return list
  }

  error(problem: string): ReleaseError {
    return new ReleaseError(this.#code, `${this.#place} ${problem}`, { details: { place: this.#place } })
  }

  unexpected(name: string, expected: string): ReleaseError {
    const found = JSON.stringify(this.#own(name))?.slice(0, 120) ?? 'nothing'
    return this.error(`has ${name} = ${found}, expected ${expected}`)
  }

  #own(name: string): unknown {
    return this.has(name) ? this.#value[name] : undefined
  }
}
