import { Readable } from 'node:stream'
import type { S3ClientConfig } from '@aws-sdk/client-s3'
import { type Answer, displayUrl, type ExchangeOptions, exchange, readAnswer } from '../sys/exchange.ts'

/** How long a request may take, and who ends it. */
export type ExchangeWaits = Pick<ExchangeOptions, 'signal' | 'idleTimeoutMs' | 'pace'>

/** Goes with a request through the library, and comes back with the answer to it, whose body the library does not touch. */
export interface Exchanged {
  answer: Answer | undefined
}

/** What the library writes. */
interface SignedRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
}

interface HandlerOptions {
  readonly exchanged: Exchanged & { readonly waits: ExchangeWaits }
}

const largestErrorBytes = 64 * 1024

/**
 * Sends what the library of an object store has signed: with the waits, the proxies and the limits of every other request. The library reads
 * answers that are errors, as far as they are of a sane size.
 */
export const exchangeHandler = {
  handle: async (request: SignedRequest, { exchanged }: HandlerOptions) => {
    const url = addressOf(request)
    const answer = await exchange(url, { ...exchanged.waits, method: 'GET', headers: headersOf(request) })
    if (answer.status === 200 || answer.status === 206) {
      exchanged.answer = answer
      return { response: { statusCode: answer.status, headers: {}, body: Readable.from([]) } }
    }
    const headers = Object.fromEntries(
      ['content-type', 'x-amz-bucket-region'].map(name => [name, answer.header(name) ?? '']),
    )
    const body = Readable.from([await readAnswer(answer, largestErrorBytes, displayUrl(url))])
    return { response: { statusCode: answer.status, headers, body } }
  },
  updateHttpClientConfig: () => {},
  httpHandlerConfigs: () => ({}),
} as unknown as NonNullable<S3ClientConfig['requestHandler']>

function addressOf({ protocol, hostname, port, path, query = {} }: SignedRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`)
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) url.searchParams.append(name, each ?? '')
  }
  return url
}

/** The host follows from the address. */
function headersOf({ headers }: SignedRequest): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !['host', 'user-agent'].includes(name)))
}
