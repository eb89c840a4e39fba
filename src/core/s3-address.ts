import { isRelativePath } from './relative-path.ts'

/** A bucket, a prefix in it, and how its store is spoken to. */
export interface S3Address {
  /** The address without its settings: `s3://BUCKET/PREFIX`. */
  readonly name: string
  readonly bucket: string
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string
  /** The address of a server that is not Amazon's. */
  readonly endpoint: URL | undefined
  readonly region: string | undefined
  /** The bucket stands in the path rather than in the host's name. */
  readonly isPathStyle: boolean
}

/** What is wrong with an address: `why` goes on where its name ends. */
export interface S3AddressProblem {
  readonly name: string
  readonly why: string
  /** There are credentials in it. */
  readonly isExposed: boolean
}

/** Source: Amazon S3 User Guide, "General purpose bucket naming rules"; older buckets have underscores and capitals. */
const bucketPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/
const knownSettings: readonly string[] = ['endpoint', 'region', 'path-style']

/**
 * Read the address of a place in an object store, or find what is wrong with it.
 *
 * Shape: `s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION&path-style=1`.
 */
export function readS3Address(place: URL): S3Address | S3AddressProblem {
  const prefix = prefixOf(place)
  const name = `s3://${place.hostname}${prefix === undefined ? place.pathname : `/${prefix}`}`
  const isExposed = place.username !== '' || place.password !== ''
  const problem = (why: string): S3AddressProblem => ({ name, why, isExposed })
  if (isExposed) return problem('holds credentials, which logs and process lists would show')
  if (place.port + place.hash !== '') return problem('has a port or a fragment; a server is named by endpoint=')
  if (prefix === undefined) return problem('names no bucket and prefix')
  const settings = place.searchParams
  const unknown = [...settings.keys()].find(key => !knownSettings.includes(key))
  if (unknown !== undefined) return problem(`has the setting ${unknown}, known are ${knownSettings.join(', ')}`)
  const style = settings.get('path-style') ?? '0'
  if (style !== '0' && style !== '1') return problem(`has path-style=${style}, expected 0 or 1`)
  const endpoint = endpointOf(settings.get('endpoint'))
  if (endpoint === 'invalid') return problem('has an endpoint that is not an address')
  const region = settings.get('region') ?? undefined
  return { name, bucket: place.hostname, prefix, endpoint, region, isPathStyle: style === '1' }
}

/** Tell the key of a file below the prefix. */
export function s3Key({ prefix }: Pick<S3Address, 'prefix'>, key: string): string {
  return prefix === '' ? key : `${prefix}/${key}`
}

function prefixOf(place: URL): string | undefined {
  if (!bucketPattern.test(place.hostname)) return undefined
  try {
    const prefix = decodeURIComponent(place.pathname).replace(/^\/+|\/+$/g, '')
    return prefix === '' || isRelativePath(prefix) ? prefix : undefined
  } catch (caught) {
    if (caught instanceof URIError) return undefined
    throw caught
  }
}

function endpointOf(text: string | null): URL | 'invalid' | undefined {
  if (text === null) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isAddress = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  return isAddress ? url : 'invalid'
}
