import type * as Sdk from '@aws-sdk/client-s3'
import { ReleaseError } from '../../core/error.ts'
import { isLoopback } from '../../core/loopback.ts'
import { isRelativePath } from '../../core/relative-path.ts'
import { isPassingStatus, longestAttempts } from '../../sys/retry.ts'
import type { Environment } from './tools.ts'

/** The library and a connection, for one request. */
export interface S3Connection {
  readonly sdk: typeof Sdk
  readonly client: Sdk.S3Client
}

/** What of a request may fail without being an error. */
export type Expected = 'missing' | 'precondition'

/**
 * A bucket and a prefix in it.
 *
 * Shape: `s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION&path-style=1`; credentials as the SDK finds them: environment, profile, web
 * identity, container, instance. The library is loaded with the first request.
 */
export class S3Store {
  /** The place without what may be secret. */
  readonly name: string
  readonly bucket: string
  readonly #prefix: string
  readonly #configuration: Sdk.S3ClientConfig
  #connection: Promise<S3Connection> | undefined

  /** Errors: TARGET_UNKNOWN, TARGET_CREDENTIALS (a password in the address, or requests without TLS). */
  constructor(place: URL, environment: Environment) {
    this.bucket = place.hostname
    const prefix = prefixOf(place)
    this.#prefix = prefix === '' ? '' : `${prefix}/`
    this.name = `s3://${this.bucket}/${prefix}`
    if (place.username !== '' || place.password !== '') {
      throw new ReleaseError(
        'TARGET_CREDENTIALS',
        `the address of ${this.name} holds credentials, which logs and process lists would show`,
      )
    }
    this.#configuration = configurationOf(this.name, place, environment)
  }

  /** The whole key of an object in the bucket. */
  keyOf(key: string): string {
    return `${this.#prefix}${key}`
  }

  /** Bucket and key of an object, as every request names it. */
  objectOf(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.bucket, Key: this.keyOf(key) }
  }

  /** Make a request. Errors: TARGET_REFUSED, TARGET_UNAVAILABLE, HTTP_FAILED. */
  async run<T>(what: string, work: (connection: S3Connection) => Promise<T>): Promise<T> {
    try {
      return await work(await this.#connect())
    } catch (caught) {
      throw failure(this.name, what, caught)
    }
  }

  /** Make a request that may fail in one way; undefined when it does. Errors: those of {@link run} for every other failure. */
  async attempt<T>(
    what: string,
    expected: Expected,
    work: (connection: S3Connection) => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await work(await this.#connect())
    } catch (caught) {
      if (isExpected(caught, expected)) return undefined
      throw failure(this.name, what, caught)
    }
  }

  #connect(): Promise<S3Connection> {
    this.#connection ??= this.#open()
    return this.#connection
  }

  async #open(): Promise<S3Connection> {
    const sdk = await import('@aws-sdk/client-s3')
    const client = new sdk.S3Client(this.#configuration)
    // Asked for by itself: what a request fails with does not tell this from other failures.
    await client.config.region().catch((cause: unknown) => {
      throw new ReleaseError('TARGET_UNKNOWN', `no region is known for ${this.name}`, {
        hint: 'add ?region=REGION to the address, or set AWS_REGION',
        cause,
      })
    })
    return { sdk, client }
  }
}

/** Turn the failure of a connection while an object is read into one that can be told from others. */
export async function* toldPieces(name: string, body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (caught) {
    throw failure(name, 'reading', caught)
  }
}

/** Source: Amazon S3 User Guide, "General purpose bucket naming rules"; older buckets have underscores and capitals. */
const bucketName = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/

function prefixOf(place: URL): string {
  try {
    const prefix = decodeURIComponent(place.pathname).replace(/^\/+|\/+$/g, '')
    if (place.port + place.hash !== '')
      throw strangePlace(place, 'has a port or a fragment; a server is named by endpoint=')
    if (bucketName.test(place.hostname) && (prefix === '' || isRelativePath(prefix))) return prefix
  } catch (caught) {
    if (!(caught instanceof URIError)) throw caught
  }
  throw strangePlace(place, 'names no bucket and prefix')
}

function strangePlace({ hostname, pathname }: URL, why: string): ReleaseError {
  return new ReleaseError('TARGET_UNKNOWN', `s3://${hostname}${pathname} ${why}`)
}

const knownSettings: readonly string[] = ['endpoint', 'region', 'path-style']

function configurationOf(name: string, place: URL, environment: Environment): Sdk.S3ClientConfig {
  const settings = place.searchParams
  const unknown = [...settings.keys()].find(key => !knownSettings.includes(key))
  if (unknown !== undefined) {
    throw new ReleaseError(
      'TARGET_UNKNOWN',
      `${name} has the setting ${unknown}, known are ${knownSettings.join(', ')}`,
    )
  }
  const style = settings.get('path-style') ?? '0'
  if (style !== '0' && style !== '1') {
    throw new ReleaseError('TARGET_UNKNOWN', `${name} has path-style=${style}, expected 0 or 1`)
  }
  const endpoint = endpointOf(name, settings.get('endpoint'))
  // Servers of one's own have no regions, but signatures name one.
  const region =
    settings.get('region') ?? environment['AWS_REGION'] ?? (endpoint === undefined ? undefined : 'us-east-1')
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...credentialsOf(environment),
    forcePathStyle: style === '1',
    maxAttempts: longestAttempts,
    // Objects are sent with their own SHA-256 and digested when they are read: no other sums are wanted.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 60_000 },
  }
}

function endpointOf(name: string, text: string | null): string | undefined {
  if (text === null) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new ReleaseError('TARGET_UNKNOWN', `the endpoint of ${name} is not an address`)
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new ReleaseError('TARGET_CREDENTIALS', `the endpoint of ${name} would be spoken to without TLS`)
  }
  return url.href
}

/** The first of the SDK's chain, from the environment that the command was given; the rest of it finds its own. */
function credentialsOf(environment: Environment): Pick<Sdk.S3ClientConfig, 'credentials'> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return {}
  const sessionToken = AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}
  return { credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, ...sessionToken } }
}

interface S3Failure extends Error {
  readonly $metadata: { readonly httpStatusCode?: number }
}

function isS3Failure(caught: unknown): caught is S3Failure {
  return caught instanceof Error && '$metadata' in caught
}

/** Source: Amazon S3 API Reference, "Error responses"; User Guide, "Conditional writes" (412, 404 when nothing is there, 409 when two meet). */
function isExpected(caught: unknown, expected: Expected): boolean {
  if (!isS3Failure(caught) || caught.name === 'NoSuchBucket') return false
  const status = caught.$metadata.httpStatusCode
  if (expected === 'missing') return status === 404
  return status === 412 || status === 404 || (status === 409 && caught.name === 'ConditionalRequestConflict')
}

function failure(name: string, what: string, caught: unknown): unknown {
  if (caught instanceof ReleaseError || !(caught instanceof Error) || caught.name === 'AbortError') return caught
  const status = isS3Failure(caught) ? caught.$metadata.httpStatusCode : undefined
  const code = /^[A-Za-z0-9]{1,64}$/.test(caught.name) ? caught.name : 'an error'
  if (status !== undefined) {
    const details = { url: name, status, reason: code }
    const message = `${name}: ${what} was answered ${status} (${code})`
    if (isPassingStatus(status)) return new ReleaseError('TARGET_UNAVAILABLE', message, { cause: caught, details })
    return new ReleaseError('TARGET_REFUSED', message, { cause: caught, details })
  }
  if (code === 'CredentialsProviderError') {
    return new ReleaseError('TARGET_CREDENTIALS', `there are no credentials for ${name}`, {
      hint: 'set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
      cause: caught,
    })
  }
  const errno = 'code' in caught && typeof caught.code === 'string' ? caught.code : undefined
  return new ReleaseError('HTTP_FAILED', `${name}: ${what}: ${errno ?? code}`, {
    cause: caught,
    details: { url: name, errno },
  })
}
