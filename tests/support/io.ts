import type { Io } from '../../src/cli/io.ts'

/** A process for commands to write to, and what they wrote. */
export interface RecordedIo extends Io {
  readonly text: () => { readonly stdout: string; readonly stderr: string }
}

/** Record what commands write; as a terminal when `columns` is given. */
export function recordIo(
  options: { readonly columns?: number; readonly environment?: Readonly<Record<string, string>> } = {},
): RecordedIo {
  const written = { stdout: '', stderr: '' }
  const output = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text
    },
    ...(options.columns === undefined ? {} : { isTTY: true, columns: options.columns }),
  })
  return {
    stdout: output('stdout'),
    stderr: output('stderr'),
    environment: options.environment ?? {},
    cwd: '/',
    text: () => ({ ...written }),
  }
}
