/** What a byte may be part of, as bits of {@link characterClasses}. */
export const characterBits = { token: 1, value: 2, target: 4, hex: 8 } as const

/** Bytes that delimit something. */
export const byteOf = {
  tab: 0x09,
  lineFeed: 0x0a,
  carriageReturn: 0x0d,
  space: 0x20,
  colon: 0x3a,
  semicolon: 0x3b,
} as const

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
  add(characterBits.token, character => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character))
  add(characterBits.value, character => /[\t\x20-\x7e\x80-\xff]/.test(character))
  add(characterBits.target, character => /[!-~]/.test(character) && character !== '#')
  add(characterBits.hex, character => /[0-9A-Fa-f]/.test(character))
  return classes
}
