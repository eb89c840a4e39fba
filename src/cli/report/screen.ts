import { stripVTControlCharacters } from 'node:util'
import type { Output } from '../io.ts'

/** Lines of a terminal that are drawn again and again, where they are. */
export interface Screen {
  readonly draw: (lines: readonly string[]) => void
}

/** Draw on a terminal. Pre: the output is one. Post: a line that would wrap is cut, for it could not be drawn over. */
export function openScreen(output: Output): Screen {
  let drawn = 0
  return {
    draw: lines => {
      // A terminal that does not say how wide it is says 0.
      const width = (output.columns || 80) - 1
      const fitting = lines.map(line => cut(line, width))
      const back = drawn === 0 ? '' : `\u001b[${drawn}A`
      output.write(`${back}\r\u001b[0J${fitting.map(line => `${line}\n`).join('')}`)
      drawn = fitting.length
    },
  }
}

function cut(line: string, width: number): string {
  const bare = stripVTControlCharacters(line)
  return bare.length <= width ? line : `${bare.slice(0, width - 1)}…`
}
