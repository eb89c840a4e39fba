/** What a byte may be part of, as bits of {@link characterClasses}. */
export const tokenBit = 1
export const valueBit = 2
export const targetBit = 4
export const hexBit = 8

/**
 * The classes of every byte.
 *
 * Source: RFC 9110 §5.6.2 (token), §5.5 (field values: visible, space, tab, and bytes from 0x80), RFC 9112 §3.2 (targets: visible only, and no
 * fragment), §7.1 (sizes of chunks).
 */
export const characterClasses: Uint8Array = makeClasses()

function makeClasses(): Uint8Array {
  const classes = new Uint8Array(256)
  const add = (bit: number, fits: (character: string) => boolean) => {
    for (let code = 0; code < 256; code += 1) if (fits(String.fromCharCode(code))) classes[code]! |= bit
  }
  add(tokenBit, character => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character))
  add(valueBit, character => /[\t\x20-\x7e\x80-\xff]/.test(character))
  add(targetBit, character => /[!-~]/.test(character) && character !== '#')
  add(hexBit, character => /[0-9A-Fa-f]/.test(character))
  return classes
}

export const tab = 0x09
export const lineFeed = 0x0a
export const carriageReturn = 0x0d
export const space = 0x20
export const colon = 0x3a
export const semicolon = 0x3b
