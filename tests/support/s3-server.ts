import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEmulator } from 'emulate'
import { afterAll } from 'vitest'
import { freePort } from './ports.ts'
import { type S3Answer, S3Front, type S3Request } from './s3-front.ts'

const running = new Set<() => unknown>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => Promise.all([...running].map(end => end())))

/** An object store on loopback until the test file ends. */
export interface S3Server {
  /** Endpoint of the emulator itself: no conditions, no checksums, no parts. */
  readonly emulatorUrl: string
  /** Endpoint of the front, which adds them. */
  readonly url: string
  readonly bucket: string
  readonly front: S3Front
  /** Requests that reached the front: `PUT key?uploadId=…`. */
  readonly requests: string[]
  /** The keys that begin so, in order. */
  readonly list: (prefix: string) => Promise<readonly string[]>
  /** Answer the next requests that match with this instead. */
  readonly failNext: (pattern: RegExp, answers: readonly S3Answer[]) => void
}

/** A repository in a bucket, as publishers and clients name it. */
export interface S3Place {
  readonly address: string
  /** What clients read without credentials. */
  readonly url: string
  readonly environment: Readonly<Record<string, string>>
}

/** Name a place in the bucket of a store. */
export function s3Place({ url, bucket }: Pick<S3Server, 'url' | 'bucket'>, prefix: string): S3Place {
  return {
    address: `s3://${bucket}/${prefix}?endpoint=${url}&path-style=1`,
    url: `${url}/${bucket}/${prefix}`,
    environment: { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 's3cret' },
  }
}

/** Run the S3 service of `emulate`, and {@link S3Front} before it. */
export async function s3Server(): Promise<S3Server> {
  const bucket = 'releases'
  const emulator = await createEmulator({
    service: 'aws',
    port: await freePort(),
    seed: { aws: { s3: { buckets: [{ name: bucket }] } } },
  })
  running.add(() => emulator.close())
  const front = new S3Front(emulator.url)
  const requests: string[] = []
  let failures: { readonly pattern: RegExp; readonly answers: S3Answer[] } | undefined
  const answer = async (request: S3Request): Promise<S3Answer> => {
    const line = `${request.method} ${request.url.pathname.slice(bucket.length + 2)}${request.url.search}`
    requests.push(line)
    const failure = failures?.pattern.test(line) === true ? failures.answers.shift() : undefined
    return failure ?? (await front.answer(request))
  }
  const server = http.createServer((incoming, response) => void respond(incoming, response, answer))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  running.add(() => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return {
    emulatorUrl: emulator.url,
    url: `http://127.0.0.1:${port}`,
    bucket,
    front,
    requests,
    list: prefix => listKeys(`${emulator.url}/${bucket}`, prefix),
    failNext: (pattern, answers) => {
      failures = { pattern, answers: [...answers] }
    },
  }
}

async function listKeys(bucketUrl: string, prefix: string): Promise<readonly string[]> {
  const keys: string[] = []
  for (let after = '', isTruncated = true; isTruncated; after = keys.at(-1) ?? '') {
    const query = new URLSearchParams({ 'list-type': '2', prefix, 'start-after': after })
    const text = await (await fetch(`${bucketUrl}?${query}`)).text()
    keys.push(...[...text.matchAll(/<Key>(.*?)<\/Key>/g)].map(match => match[1]!))
    isTruncated = text.includes('<IsTruncated>true<')
  }
  return keys
}

async function respond(
  incoming: IncomingMessage,
  response: ServerResponse,
  answer: (request: S3Request) => Promise<S3Answer>,
): Promise<void> {
  const pieces: Buffer[] = []
  try {
    for await (const piece of incoming) pieces.push(piece as Buffer)
  } catch {
    // Cut on its way: nobody waits for an answer.
    return
  }
  const { method = 'GET', headers } = incoming
  const url = new URL(incoming.url ?? '/', 'http://localhost')
  const given = await answer({ method, url, headers, body: Buffer.concat(pieces) })
  response.writeHead(given.status, { 'content-length': given.body.byteLength, ...given.headers })
  response.end(method === 'HEAD' ? undefined : given.body)
}
