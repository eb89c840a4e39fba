import http from 'node:http'

/** A request to send. */
export interface Question {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly body?: string
  readonly timeoutMs: number
}

/** What came back: an answer, or how the connection broke. */
export type Answer =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers: http.IncomingHttpHeaders
      readonly text: string
    }
  | {
      readonly kind: 'broken'
      readonly reason: string
      /** The connection had carried a request before and ended without a byte of an answer: RFC 9110 §9.2.2 allows a GET again. */
      readonly stale: boolean
    }

/** Send one request and read its answer to the end. Post: never rejects. */
export function exchange(agent: http.Agent, question: Question): Promise<Answer> {
  return new Promise(resolve => {
    const headers = question.body === undefined ? {} : { 'Content-Type': 'application/json' }
    const request = http.request(question.url, {
      agent,
      method: question.method,
      headers,
      signal: AbortSignal.timeout(question.timeoutMs),
    })
    let begun = false
    const broken = (error: NodeJS.ErrnoException) =>
      resolve({
        kind: 'broken',
        reason:
          error.name === 'AbortError' ? `no answer within ${question.timeoutMs} ms` : (error.code ?? error.message),
        stale: request.reusedSocket && !begun && (error.code === 'ECONNRESET' || error.code === 'EPIPE'),
      })
    request.on('error', broken)
    request.on('response', response => {
      begun = true
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', broken)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        resolve({ kind: 'answer', status: response.statusCode ?? 0, headers: response.headers, text })
      })
    })
    request.end(question.body)
  })
}

/** Tell whether an answer is a gate's 503 that says when to come back. */
export function isBackoff(status: number, headers: http.IncomingHttpHeaders): boolean {
  return status === 503 && (headers['retry-after'] !== undefined || headers['x-weave-maintenance'] !== undefined)
}
