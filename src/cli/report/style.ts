import { styleText } from 'node:util'
import type { Io, Output } from '../io.ts'

/** The meanings that text can have; each has one colour. */
export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong'

/** Give text a colour, or leave it as it is. */
export type Paint = (tone: Tone, text: string) => string

const formats = { good: 'green', bad: 'red', warn: 'yellow', dim: 'dim', strong: 'bold' } as const

/** Choose how to paint for a stream: in colour on a terminal only, and never with NO_COLOR or TERM=dumb. Source: no-color.org. */
export function createPaint(output: Output, environment: Io['environment']): Paint {
  const plain = !output.isTTY || Boolean(environment['NO_COLOR']) || environment['TERM'] === 'dumb'
  return plain ? (_tone, text) => text : (tone, text) => styleText(formats[tone], text, { validateStream: false })
}
