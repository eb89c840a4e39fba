import { spawn } from 'node:child_process'

/** What wrk met. */
export interface WrkReport {
  readonly requests: number
  /** Answers other than 2xx and 3xx, and connections that broke or stayed silent. */
  readonly failures: number
  readonly text: string
}

/** Have wrk ask for a page on keep-alive connections until it is stopped. */
export function startWrk(url: string, connections: number): { readonly stop: () => Promise<WrkReport> } {
  const argv = ['--threads', '1', '--connections', String(connections), '--duration', '86400', '--timeout', '30s', url]
  const child = spawn('wrk', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', piece => {
    text += piece
  })
  const closed = new Promise<void>(resolve => child.once('close', () => resolve()))
  return {
    async stop() {
      child.kill('SIGINT')
      await closed
      return { ...parseWrk(text), text }
    },
  }
}

/** Source: wrk's own output, wrk.c, `print_stats` and what follows. */
function parseWrk(text: string): { readonly requests: number; readonly failures: number } {
  const requests = /(\d+) requests in/.exec(text)
  if (requests === null) throw new Error(`wrk said: ${text}`)
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(text)
  const counts = [...(broken?.slice(1) ?? []), ...(refused?.slice(1) ?? [])].map(Number)
  return { requests: Number(requests[1]), failures: counts.reduce((sum, count) => sum + count, 0) }
}
