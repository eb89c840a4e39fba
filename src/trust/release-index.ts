import { ReleaseError } from '../core/error.ts'
import { compareVersions, isVersion } from '../core/version.ts'
import type { ListedRelease, ReleaseIndex } from './layout.ts'

/**
 * Read the list of an application's releases. Pre: the bytes were verified as a TUF target.
 *
 * Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. A signature says who wrote it, not that it was written well.
 */
export function parseReleaseIndex(bytes: Uint8Array, application: string): ReleaseIndex {
  const place = `the list of releases of ${application}`
  const json = parseObject(bytes, place)
  if (typeof json.schema === 'number' && json.schema > 1) {
    throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${json.schema}, this version reads 1`)
  }
  const releases = json.releases
  if (json.schema !== 1 || json.application !== application || !Array.isArray(releases)) {
    throw invalid(place, 'schema, application or releases is not as expected')
  }
  const listed = releases.map((release, at) => parseListed(release, `${place}, entry ${at + 1}`))
  return {
    schema: 1,
    application,
    releases: listed.toSorted((a, b) => compareVersions(a.version, b.version)),
  }
}

/** Choose the listed versions next to one that is not there: up to `count`, those around its place in the order. */
export function nearVersions(versions: readonly string[], missing: string, count: number): readonly string[] {
  const sorted = versions.toSorted(compareVersions)
  if (!isVersion(missing)) return sorted.slice(-count)
  const below = sorted.filter(version => compareVersions(version, missing) < 0).length
  const start = Math.max(0, Math.min(below - Math.ceil(count / 2), sorted.length - count))
  return sorted.slice(start, start + count)
}

function parseListed(value: unknown, place: string): ListedRelease {
  if (typeof value !== 'object' || value === null) throw invalid(place, 'not an object')
  const { version, commit, sourceDateEpoch, snapshot } = value as Partial<Record<keyof ListedRelease, unknown>>
  if (typeof version !== 'string' || !isVersion(version)) throw invalid(place, 'no version')
  if (typeof commit !== 'string' || !/^[0-9a-f]{7,64}$/.test(commit)) throw invalid(place, 'no commit')
  if (!Number.isSafeInteger(sourceDateEpoch)) throw invalid(place, 'no sourceDateEpoch')
  if (typeof snapshot !== 'boolean') throw invalid(place, 'no snapshot')
  return { version, commit, sourceDateEpoch: sourceDateEpoch as number, snapshot }
}

function parseObject(bytes: Uint8Array, place: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (caught) {
    throw new ReleaseError('DOCUMENT_INVALID', `${place} is not JSON`, { cause: caught })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(place, 'not an object')
  return value as Readonly<Record<string, unknown>>
}

function invalid(place: string, reason: string): ReleaseError {
  return new ReleaseError('DOCUMENT_INVALID', `${place} cannot be read: ${reason}`)
}
