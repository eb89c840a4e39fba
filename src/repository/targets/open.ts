import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ReleaseError } from '../../core/error.ts'
import type { RateLimit } from '../../sys/rate-limit.ts'
import type { TargetWriter } from '../target.ts'
import { openDirectory } from './directory.ts'
import { openHttp } from './http.ts'
import { openS3 } from './s3.ts'
import { type Environment, systemTransferTools } from './tools.ts'

/** What a place means depends on. */
export interface OpenTargetOptions {
  /** What relative folders are relative to. */
  readonly cwd: string
  readonly environment: Environment
  /** Shared by all transfers of an upload; unlimited when absent. */
  readonly bandwidth?: RateLimit | undefined
}

/**
 * Open a place that a repository is published to. Nothing is asked of it yet.
 *
 * Shape: a folder or `file:` address, `http(s)://HOST/PATH` (WebDAV), `s3://BUCKET/PREFIX?endpoint=…&region=…&path-style=1`.
 * Errors: TARGET_UNKNOWN (not such a place), TARGET_CREDENTIALS.
 */
export function openTarget(place: string, { cwd, environment, bandwidth }: OpenTargetOptions): TargetWriter {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(place)?.[1]?.toLowerCase()
  // One letter and a path are no address but a folder with a colon in its name.
  if (scheme === undefined) return openDirectory(path.resolve(cwd, place))
  const tools = { ...systemTransferTools, bandwidth }
  if (scheme === 'file') return openDirectory(folderOf(place))
  if (scheme === 'http' || scheme === 'https') return openHttp(parseUrl(place), { environment, tools })
  if (scheme === 's3') return openS3(parseUrl(place), { environment, tools })
  throw unknownPlace(place, `${scheme}: is no kind of target`)
}

function parseUrl(place: string): URL {
  if (URL.canParse(place)) return new URL(place)
  throw unknownPlace(place, 'it is not an address')
}

function folderOf(place: string): string {
  const url = parseUrl(place)
  // What file: has of hosts is for other systems.
  if (url.host === '' && !/%2f|%(?![0-9a-f]{2})/i.test(url.pathname)) return fileURLToPath(url)
  throw unknownPlace(place, 'it is no folder of this machine')
}

function unknownPlace(place: string, reason: string): ReleaseError {
  // What stands behind the scheme may hold a password.
  const shown = place.replace(/^([a-z0-9+.-]*:).*/is, '$1…')
  return new ReleaseError('TARGET_UNKNOWN', `${shown} cannot be published to: ${reason}`)
}
