import { byteOf, characterBits, characterClasses } from './characters.ts'
import { fieldBitOf, fieldBits } from './field-names.ts'

const noOptions: readonly string[] = []

/** Numbers kept of each field: its bit, where its name begins and ends, where its value begins and ends. */
const marksPerField = 5

/**
 * The fields of a head, in their order, as positions in its text: names and values are cut out only when somebody asks.
 *
 * Shape: `text` is latin1, its fields from `start` to `end` are `name: value\r\n` one after the other.
 */
export class Fields {
  readonly text: string
  readonly start: number
  readonly end: number
  /** Which of the known fields there are, as a set of {@link fieldBits}. */
  readonly bits: number
  readonly #marks: readonly number[]
  #options: readonly string[] | undefined

  constructor(text: string, range: { readonly start: number; readonly end: number }, marks: readonly number[]) {
    this.text = text
    this.start = range.start
    this.end = range.end
    this.#marks = marks
    let bits = 0
    for (let at = 0; at < marks.length; at += marksPerField) bits |= marks[at]!
    this.bits = bits
  }

  get count(): number {
    return this.#marks.length / marksPerField
  }

  bit(index: number): number {
    return this.#marks[index * marksPerField]!
  }

  name(index: number): string {
    const at = index * marksPerField
    return this.text.slice(this.#marks[at + 1], this.#marks[at + 2])
  }

  value(index: number): string {
    const at = index * marksPerField
    return this.text.slice(this.#marks[at + 3], this.#marks[at + 4])
  }

  /** Where a field's line begins. */
  lineStart(index: number): number {
    return this.#marks[index * marksPerField + 1]!
  }

  /** Where the line after a field's begins. */
  lineEnd(index: number): number {
    return this.#marks[(index + 1) * marksPerField + 1] ?? this.end
  }

  /** The value of the first field that a bit stands for. */
  valueOf(bit: number): string | undefined {
    if ((this.bits & bit) === 0) return undefined
    for (let index = 0; index < this.count; index += 1) if (this.bit(index) === bit) return this.value(index)
    return undefined
  }

  /** How many fields a bit stands for. */
  countOf(bit: number): number {
    if ((this.bits & bit) === 0) return 0
    let count = 0
    for (let index = 0; index < this.count; index += 1) if (this.bit(index) === bit) count += 1
    return count
  }

  /** The value of a field by its name in lower case; several are joined by `, `, Cookie by `; `; undefined when there is none. */
  get(lowerName: string): string | undefined {
    let found: string | undefined
    for (let index = 0; index < this.count; index += 1) {
      const at = index * marksPerField
      if (this.#marks[at + 2]! - this.#marks[at + 1]! !== lowerName.length) continue
      if (this.name(index).toLowerCase() !== lowerName) continue
      const value = this.value(index)
      if (found === undefined) found = value
      else found += (lowerName === 'cookie' ? '; ' : ', ') + value
    }
    return found
  }

  /** The options of all Connection fields, in lower case. */
  connectionOptions(): readonly string[] {
    if ((this.bits & fieldBits.connection) === 0) return noOptions
    if (this.#options !== undefined) return this.#options
    const options: string[] = []
    for (let index = 0; index < this.count; index += 1) {
      if (this.bit(index) !== fieldBits.connection) continue
      for (const option of this.value(index).split(',')) options.push(option.trim().toLowerCase())
    }
    this.#options = options
    return options
  }
}

/**
 * Read the fields of a head.
 *
 * Pre: the text ends with the empty line behind the fields; `start` is where the first field begins. Post: undefined when a line is no field:
 * without a name, with space before the colon, folded, with a control character, not ended by CR LF.
 * Source: RFC 9112 §5, RFC 9110 §5.5.
 */
export function parseFields(text: string, start: number): Fields | undefined {
  const end = text.length - 2
  const marks: number[] = []
  let at = start
  while (at < end) {
    const nameStart = at
    while ((characterClasses[text.charCodeAt(at)]! & characterBits.token) !== 0) at += 1
    const nameEnd = at
    if (nameEnd === nameStart || text.charCodeAt(at) !== byteOf.colon) return undefined
    do at += 1
    while (isBlank(text.charCodeAt(at)))
    const valueStart = at
    while ((characterClasses[text.charCodeAt(at)]! & characterBits.value) !== 0) at += 1
    if (text.charCodeAt(at) !== byteOf.carriageReturn || text.charCodeAt(at + 1) !== byteOf.lineFeed) return undefined
    let valueEnd = at
    while (valueEnd > valueStart && isBlank(text.charCodeAt(valueEnd - 1))) valueEnd -= 1
    marks.push(fieldBitOf(text, nameStart, nameEnd), nameStart, nameEnd, valueStart, valueEnd)
    at += 2
  }
  return at === end ? new Fields(text, { start, end }, marks) : undefined
}

/** Make fields of names and values. Post: undefined when one of them cannot be a field. */
export function fieldsOf(pairs: readonly (readonly [string, string])[]): Fields | undefined {
  let text = ''
  for (const [name, value] of pairs) text += `${name}: ${value}\r\n`
  // A name or value with a line's end in it would be more than one field.
  const fields = parseFields(`${text}\r\n`, 0)
  return fields?.count === pairs.length ? fields : undefined
}

function isBlank(code: number): boolean {
  return code === byteOf.space || code === byteOf.tab
}
