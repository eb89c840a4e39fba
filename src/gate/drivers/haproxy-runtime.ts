import net from 'node:net'
import { isErrno, ReleaseError } from '../../core/error.ts'

/** How long HAProxy may take for an answer; it gives one at once, for its runtime socket has threads of its own. */
const answerTimeoutMs = 3000

/** The longest answer that is read: a map of all of a machine's hosts is far below it. */
const longestAnswerBytes = 8 * 1024 * 1024

/**
 * Ask a running HAProxy something over its runtime socket, or tell it.
 *
 * Pre: every name in the command went through {@link runtimeWord}. Post: what it answered, without the blank line at its end.
 * Errors: GATE_SERVER_UNREACHABLE (no socket, no answer in time), GATE_SERVER_REFUSED (it answered that it does not do that).
 * Source: HAProxy Management Guide §9.3; `set severity-output number` marks lines that are no data as `[0]:` to `[7]:`, as syslog does.
 */
export async function askHaproxy(socket: string, command: string): Promise<string> {
  const text = await exchange(socket, `set severity-output number; ${command}\n`)
  const refusal = /^\[[0-3]\]: ?(.*)$/m.exec(text)
  if (refusal === null) return text.trim()
  throw new ReleaseError('GATE_SERVER_REFUSED', `HAProxy at ${socket} refused ${quote(command)}: ${refusal[1]}`, {
    details: { path: socket, command },
  })
}

/**
 * Take a name as one word of a command.
 *
 * Post: nothing in it ends the word or the command, and nothing of it has a meaning in a map file. Errors: GATE_SERVER_SETTINGS.
 */
export function runtimeWord(name: string): string {
  if (/^[A-Za-z0-9._:/@%+~-]+$/.test(name)) return name
  throw new ReleaseError('GATE_SERVER_SETTINGS', `${quote(name)} cannot be told to HAProxy as a name or a path`, {
    hint: 'use letters, digits and . _ : / @ % + ~ - only',
    details: { name },
  })
}

function exchange(path: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path })
    let text = ''
    const timer = setTimeout(() => {
      socket.destroy()
      reject(unreachable(path, `no answer within ${answerTimeoutMs} ms`, undefined))
    }, answerTimeoutMs)
    socket.setEncoding('utf8')
    socket.on('data', (piece: string) => {
      text += piece
      if (text.length > longestAnswerBytes) socket.destroy(new Error('its answer has no end'))
    })
    socket.once('error', caught => reject(unreachable(path, caught.message, caught)))
    // It closes the connection after the answer.
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(text)
    })
    socket.write(bytes)
  })
}

function unreachable(path: string, why: string, cause: Error | undefined): ReleaseError {
  const hint = isErrno(cause, 'EACCES', 'EPERM')
    ? `let whoever serves the prefix use it: ls -l ${path}`
    : `start HAProxy, with \`stats socket ${path} mode 660 level admin\` in its section global`
  return new ReleaseError('GATE_SERVER_UNREACHABLE', `HAProxy does not answer at ${path}: ${why}`, {
    hint,
    cause,
    details: { path },
  })
}

function quote(text: string): string {
  return JSON.stringify(text)
}
