import { ReleaseError } from '../core/error.ts'

/** What an ar archive starts with. */
export const arMagic = '!<arch>\n'
/** The size of a member's header. */
export const arHeaderBytes = 60
/** The largest size that ten digits hold. */
const largestMember = 9_999_999_999

/** A member of an ar archive; `offset` is where its content starts. */
export interface ArMember {
  readonly name: string
  readonly offset: number
  readonly sizeBytes: number
}

/**
 * Write a member's header: owner root, mode 0644, every field filled.
 *
 * Errors: DEB_TOO_LARGE. Source: deb(5); dpkg lib/dpkg/ar.c.
 */
export function arHeader(name: string, sizeBytes: number, mtimeSeconds: number): Buffer {
  if (name.length > 15) throw new Error(`ar member name ${name} has more than 15 characters`)
  if (sizeBytes > largestMember) {
    const message = `${name} would have ${sizeBytes} bytes, a Debian package holds at most ${largestMember}`
    throw new ReleaseError('DEB_TOO_LARGE', message, { details: { sizeBytes } })
  }
  const fields = [name.padEnd(16), pad(mtimeSeconds, 12), pad(0, 6), pad(0, 6), '100644'.padEnd(8), pad(sizeBytes, 10)]
  return Buffer.from(`${fields.join('')}\`\n`, 'latin1')
}

/** What follows a member so that the next one starts at an even byte; also after the last one. */
export function arPadding(sizeBytes: number): string {
  return sizeBytes % 2 === 1 ? '\n' : ''
}

/**
 * Read a member's header that stands at `at`.
 *
 * Errors: DEB_INVALID. Source: deb(5): plain names only, no GNU or BSD long names.
 */
export function parseArHeader(header: Uint8Array, at: number): ArMember {
  const text = Buffer.from(header).toString('latin1')
  const name = text.slice(0, 16).trimEnd()
  const numbers = [text.slice(16, 28), text.slice(28, 34), text.slice(34, 40), text.slice(48, 58)]
  const isHeader =
    text.length === arHeaderBytes &&
    text.endsWith('`\n') &&
    /^[!-.0-~]{1,15}$/.test(name) &&
    /^[0-7]+ *$/.test(text.slice(40, 48)) &&
    numbers.every(number => /^\d+ *$/.test(number))
  if (!isHeader) throw new ReleaseError('DEB_INVALID', `no ar header at byte ${at}`, { details: { offset: at } })
  return { name, offset: at + arHeaderBytes, sizeBytes: Number(numbers[3]) }
}

function pad(value: number, width: number): string {
  return String(value).padEnd(width)
}
