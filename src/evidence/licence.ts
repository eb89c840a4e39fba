import { Factories } from '@cyclonedx/cyclonedx-library/Contrib/License'
import type { License } from '@cyclonedx/cyclonedx-library/Models'
import { isSupportedSpdxId } from '@cyclonedx/cyclonedx-library/SPDX'

/** Longer texts are the licence itself, not its name. */
const maxNameLength = 200

/** Makes an SPDX licence of an id, an expression of an expression, and a named licence of anything else. */
export const licenceFactory = new Factories.LicenseFactory(text => {
  if (!isLicenceExpression(text)) throw new RangeError('not an SPDX licence expression')
})

/** Read what a package says its licence is; undefined when that names none. */
export function parseLicence(text: string | undefined): License | undefined {
  const name = text?.trim() ?? ''
  if (name === '' || name.length > maxNameLength || name.includes('\n')) return undefined
  return licenceFactory.makeFromString(name)
}

/**
 * Tell whether a text is an SPDX licence expression of known licences.
 *
 * Source: SPDX 2.3, annex D. Exceptions after WITH are taken by their form: CycloneDX has no list of them.
 */
export function isLicenceExpression(text: string): boolean {
  if (text.length > maxNameLength || !/^[\sA-Za-z0-9.+:()-]+$/.test(text)) return false
  const tokens = text.match(/[()]|[^\s()]+/g) ?? []
  return new Expression(tokens).isComplete()
}

class Expression {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens
  }

  isComplete(): boolean {
    return this.#isAlternative() && this.#at === this.#tokens.length
  }

  #isAlternative(): boolean {
    do if (!this.#isOperand()) return false
    while (this.#takes('AND') || this.#takes('OR'))
    return true
  }

  #isOperand(): boolean {
    if (this.#takes('(')) return this.#isAlternative() && this.#takes(')')
    const name = this.#next()
    if (name === undefined || !isLicenceName(name)) return false
    return !this.#takes('WITH') || /^[A-Za-z0-9.-]+$/.test(this.#next() ?? '')
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false
    this.#at += 1
    return true
  }

  #next(): string | undefined {
    this.#at += 1
    return this.#tokens[this.#at - 1]
  }
}

function isLicenceName(name: string): boolean {
  if (/^(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+$/.test(name)) return true
  return isSupportedSpdxId(name.endsWith('+') ? name.slice(0, -1) : name) || isSupportedSpdxId(name)
}
