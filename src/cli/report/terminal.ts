import { stripVTControlCharacters } from 'node:util'
import type { Output } from '../io.ts'

/** Lines that stay, and on a terminal one line below them that is redrawn. */
export interface Terminal {
  readonly line: (text: string) => void
  /** Replace the line that is redrawn; an empty text removes it. Nothing happens where the output is no terminal. */
  readonly status: (text: string) => void
  readonly live: boolean
}

/** Write to a stream as a terminal if it is one. */
export function openTerminal(output: Output): Terminal {
  const live = output.isTTY === true
  let drawn = false
  const erase = () => {
    if (drawn) output.write('\r\u001b[2K')
    drawn = false
  }
  return {
    live,
    line: text => {
      erase()
      output.write(`${text}\n`)
    },
    status: text => {
      if (!live) return
      erase()
      if (text === '') return
      // A status that wraps could not be erased: it is cut to the width, and loses its colours then.
      const widthChars = (output.columns || 80) - 1
      const bare = stripVTControlCharacters(text)
      output.write(bare.length <= widthChars ? text : `${bare.slice(0, widthChars - 1)}…`)
      drawn = true
    },
  }
}
