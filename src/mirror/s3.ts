import type * as Sdk from '@aws-sdk/client-s3'
import { ReleaseError } from '../core/error.ts'
import { type S3Address, s3Key } from '../core/s3-address.ts'
import type { Environment } from '../registry/credentials.ts'
import type { Opened, OpenOptions } from '../sys/http.ts'
import { copyMirror } from './copy.ts'
import type { Mirror } from './mirror.ts'
import type { Place } from './place.ts'
import { type Exchanged, type ExchangeWaits, exchangeHandler } from './s3-handler.ts'

type S3Place = Place & { readonly kind: 's3' }

/** What says that there are credentials. Without any of it requests are not signed: buckets of releases are often public. */
const credentialVariables: readonly string[] = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  // Set to `false` where a machine of Amazon's is to use its own role.
  'AWS_EC2_METADATA_DISABLED',
]

/**
 * A copy of a vendor repository in an object store.
 *
 * The library is loaded with the first request. It writes and signs requests, which then go the way of all others.
 */
export function s3Mirror({ name, address }: S3Place, environment: Environment): Mirror {
  let connected: Promise<Connection> | undefined
  const connection = () => {
    connected ??= connect(address, environment)
    return connected
  }
  return copyMirror(name, key => ({
    name: `${name}/${key}`,
    isLocal: false,
    open: options => openObject({ address, key, connection }, options),
  }))
}

interface Connection {
  readonly sdk: typeof Sdk
  readonly client: Sdk.S3Client
}

interface S3Object {
  readonly address: S3Address
  readonly key: string
  readonly connection: () => Promise<Connection>
}

async function openObject({ address, key, connection }: S3Object, options: OpenOptions): Promise<Opened> {
  const [{ openedAnswer, rangeHeader }, { client, sdk }] = await Promise.all([import('../sys/get.ts'), connection()])
  const place = `${address.name}/${key}`
  const { range, headers: _headers, ...waits } = options
  const ranged = range === undefined ? {} : { Range: rangeHeader(range) }
  const command = new sdk.GetObjectCommand({ Bucket: address.bucket, Key: s3Key(address, key), ...ranged })
  const exchanged: Exchanged & { readonly waits: ExchangeWaits } = { waits, answer: undefined }
  try {
    await client.send(command, { exchanged } as object)
  } catch (caught) {
    if (isMissing(caught)) return undefined
    throw failure(place, caught)
  }
  if (exchanged.answer === undefined) throw new Error('a request to an object store was answered by nobody')
  return await openedAnswer(exchanged.answer, { place, range })
}

async function connect(address: S3Address, environment: Environment): Promise<Connection> {
  const sdk = await import('@aws-sdk/client-s3')
  const client = new sdk.S3Client({
    ...(address.endpoint === undefined ? {} : { endpoint: address.endpoint.href }),
    region: address.region ?? (environment['AWS_REGION'] || 'us-east-1'),
    // A bucket is found in whatever region it is.
    followRegionRedirects: true,
    forcePathStyle: address.isPathStyle,
    ...identityOf(environment),
    // Who reads an object tries again, from where it stopped, and checks its digest.
    maxAttempts: 1,
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: exchangeHandler,
  })
  return { sdk, client }
}

/** Credentials from the environment, else what the library finds, else none. */
function identityOf(environment: Environment): Pick<Sdk.S3ClientConfig, 'credentials' | 'signer'> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    const sessionToken = AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}
    return { credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, ...sessionToken } }
  }
  if (credentialVariables.some(name => Boolean(environment[name]))) return {}
  return { credentials: { accessKeyId: '', secretAccessKey: '' }, signer: { sign: async request => request } }
}

interface S3Failure extends Error {
  readonly $metadata: { readonly httpStatusCode?: number }
}

function isS3Failure(caught: unknown): caught is S3Failure {
  return caught instanceof Error && '$metadata' in caught
}

/** A bucket that may not be listed answers 403 for what it does not have; that is told as what it is. */
function isMissing(caught: unknown): boolean {
  return isS3Failure(caught) && caught.$metadata.httpStatusCode === 404 && caught.name !== 'NoSuchBucket'
}

/** The text of an answer may quote the request; only its name is told. */
function failure(place: string, caught: unknown): unknown {
  if (caught instanceof ReleaseError || !(caught instanceof Error)) return caught
  const code = /^[A-Za-z0-9]{1,64}$/.test(caught.name) ? caught.name : 'an error'
  const status = isS3Failure(caught) ? caught.$metadata.httpStatusCode : undefined
  const details = { url: place, ...(status === undefined ? { errno: code } : { status }) }
  return new ReleaseError('HTTP_FAILED', `${place} answered ${status ?? ''} ${code}`.replace('  ', ' '), { details })
}
