import type * as Sdk from '@aws-sdk/client-s3'
import { ReleaseError } from '../../core/error.ts'
import { isLoopback } from '../../core/loopback.ts'
import { readS3Address, type S3Address, s3Key } from '../../core/s3-address.ts'
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
  readonly #address: S3Address
  readonly #configuration: Sdk.S3ClientConfig
  #connection: Promise<S3Connection> | undefined

  /** Errors: TARGET_UNKNOWN, TARGET_CREDENTIALS (a password in the address, or requests without TLS). */
  constructor(place: URL, environment: Environment) {
    this.#address = addressOf(place)
    this.name = this.#address.name
    this.bucket = this.#address.bucket
    this.#configuration = configurationOf(this.#address, environment)
  }

  /** The whole key of an object in the bucket. */
  keyOf(key: string): string {
    return s3Key(this.#address, key)
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

function addressOf(place: URL): S3Address {
  const address = readS3Address(place)
  if ('why' in address) {
    const code = address.isExposed ? 'TARGET_CREDENTIALS' : 'TARGET_UNKNOWN'
    throw new ReleaseError(code, `${address.name} ${address.why}`)
  }
  if (address.endpoint?.protocol === 'http:' && !isLoopback(address.endpoint.hostname)) {
    throw new ReleaseError('TARGET_CREDENTIALS', `the endpoint of ${address.name} would be spoken to without TLS`)
  }
  return address
}

function configurationOf(address: S3Address, environment: Environment): Sdk.S3ClientConfig {
  const { endpoint } = address
  // Servers of one's own have no regions, but signatures name one.
  const region = address.region ?? environment['AWS_REGION'] ?? (endpoint === undefined ? undefined : 'us-east-1')
  return {
    ...(endpoint === undefined ? {} : { endpoint: endpoint.href }),
    ...(region === undefined ? {} : { region }),
    ...credentialsOf(environment),
    forcePathStyle: address.isPathStyle,
    maxAttempts: longestAttempts,
    // Objects are sent with their own SHA-256 and digested when they are read: no other sums are wanted.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 60_000 },
  }
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
