/**
 * What a server asks for with a 401.
 *
 * Shape: the scheme in lower case; parameters by name in lower case, unquoted.
 */
export interface Challenge {
  readonly scheme: string
  readonly parameters: Readonly<Record<string, string>>
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y
const space = /[ \t]*/y
const quoted = /"((?:[^"\\]|\\[\t -~])*)"/y
const token68 = /[A-Za-z0-9._~+/-]+=*/y

/**
 * Read a WWW-Authenticate header, in which several challenges may stand, and commas inside of quotes.
 *
 * Post: undefined when it is not in the grammar, or a parameter stands twice in a challenge: nothing is guessed where secrets follow.
 * Source: RFC 9110 §11.2 (auth-param), §11.6.1; RFC 6750 §3 (Bearer).
 */
export function parseChallenges(header: string): readonly Challenge[] | undefined {
  const text = new Cursor(header)
  const challenges: { scheme: string; parameters: Record<string, string> }[] = []
  for (;;) {
    while (text.skip(space) && text.take(',')) {}
    if (text.isAtEnd) return challenges
    const word = text.match(token)
    if (word === undefined) return undefined
    const current = challenges.at(-1)
    const value = current === undefined ? undefined : parameterValue(text)
    if (value === undefined) {
      challenges.push({ scheme: word.toLowerCase(), parameters: {} })
      if (!skipToken68(text)) return undefined
    } else {
      const name = word.toLowerCase()
      if (Object.hasOwn(current!.parameters, name)) return undefined
      current!.parameters[name] = value
      text.skip(space)
      if (!text.isAtEnd && !text.isAt(',')) return undefined
    }
  }
}

/** The value behind `NAME`, or undefined when NAME is the scheme of a new challenge. */
function parameterValue(text: Cursor): string | undefined {
  const start = text.position
  text.skip(space)
  if (text.take('=')) {
    text.skip(space)
    const value = text.match(quoted)?.replace(/\\(.)/g, '$1') ?? text.match(token)
    if (value !== undefined) return value
  }
  text.position = start
  return undefined
}

/** Behind a scheme: nothing, its first parameter, or a token68 such as Negotiate has; the last is passed over. */
function skipToken68(text: Cursor): boolean {
  const start = text.position
  text.skip(space)
  if (text.isAtEnd || text.isAt(',')) return true
  if (text.position === start) return false
  const behindSpace = text.position
  if (text.match(token) !== undefined && text.skip(space) && text.take('=')) {
    text.skip(space)
    const isParameter = !text.isAtEnd && !text.isAt(',') && !text.isAt('=')
    text.position = behindSpace
    if (isParameter) return true
  }
  text.position = behindSpace
  if (text.match(token68) === undefined) return false
  text.skip(space)
  return text.isAtEnd || text.isAt(',')
}

/** A place in a text. */
class Cursor {
  readonly #text: string
  position = 0

  constructor(text: string) {
    this.#text = text
  }

  get isAtEnd(): boolean {
    return this.position >= this.#text.length
  }

  isAt(character: string): boolean {
    return this.#text[this.position] === character
  }

  take(character: string): boolean {
    if (!this.isAt(character)) return false
    this.position += 1
    return true
  }

  /** Pass over what a pattern that always matches finds. */
  skip(pattern: RegExp): true {
    this.match(pattern)
    return true
  }

  /** Take what a sticky pattern finds here: its group if it has one, else the whole. */
  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position
    const found = pattern.exec(this.#text)
    if (found === null) return undefined
    this.position += found[0].length
    return found[1] ?? found[0]
  }
}
