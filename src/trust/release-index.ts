import { isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { isRelativePath } from '../core/relative-path.ts'
import { compareVersions, isVersion } from '../core/version.ts'
import { Fields } from '../payload/fields.ts'
import type { ChannelDocument, ListedRelease, ReleaseIndex } from './layout.ts'

/** A channel's name: also an apt suite and the tag of an image; never a member that every object has. */
export const isChannelName = (name: string): boolean => /^(?!constructor$)[a-z][a-z0-9-]{0,30}$/.test(name)

/** The list of an application that has no release. */
export const emptyIndex = (application: string): ReleaseIndex => ({
  schema: 1,
  application,
  releases: [],
  channels: {},
})

/**
 * Read the list of an application's releases. Pre: the bytes were verified as a TUF target.
 *
 * Post: releases and the versions of channels are in order of precedence; a channel has only versions that are listed.
 * Errors: DOCUMENT_INVALID, DOCUMENT_NEWER. A signature says who wrote it, not that it was written well.
 */
export function parseReleaseIndex(bytes: Uint8Array, application: string): ReleaseIndex {
  const place = `the list of releases of ${application}`
  const json = parseJson(bytes, place)
  const fields = new Fields(json, 'DOCUMENT_INVALID', place)
  const schema = fields.integer('schema', 1, Number.MAX_SAFE_INTEGER)
  if (schema > 1) throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${schema}, this version reads 1`)
  fields.text('application', name => name === application)
  fields.optionalText('defaultChannel', isChannelName)
  const versions = new Set<string>()
  for (const [release] of fields.objects('releases')) {
    checkListed(release)
    const version = release.text('version')
    if (versions.has(version)) throw release.error(`is ${version} a second time`)
    versions.add(version)
  }
  const index = json as ReleaseIndex
  checkChannels(index, versions, fields)
  return { ...index, releases: index.releases.toSorted((a, b) => compareVersions(a.version, b.version)) }
}

/** Read what a channel of an application offers. Pre and errors: as {@link parseReleaseIndex}. */
export function parseChannelDocument(bytes: Uint8Array, application: string, channel: string): ChannelDocument {
  const place = `the channel ${channel} of ${application}`
  const json = parseJson(bytes, place)
  const fields = new Fields(json, 'DOCUMENT_INVALID', place)
  const schema = fields.integer('schema', 1, anySize)
  if (schema > 1) throw new ReleaseError('DOCUMENT_NEWER', `${place} has schema ${schema}, this version reads 1`)
  fields.text('application', name => name === application)
  fields.text('channel', name => name === channel)
  if (fields.has('release')) {
    const release = fields.object('release')
    release.text('version', isVersion)
    const record = release.object('record')
    record.text('key', isRelativePath)
    checkStored(record)
  }
  return json as ChannelDocument
}

/** Choose the listed versions next to one that is not there: up to `count`, those around its place in the order. */
export function nearVersions(versions: readonly string[], missing: string, count: number): readonly string[] {
  const sorted = versions.toSorted(compareVersions)
  if (!isVersion(missing)) return sorted.slice(-count)
  const below = sorted.filter(version => compareVersions(version, missing) < 0).length
  const start = Math.max(0, Math.min(below - Math.ceil(count / 2), sorted.length - count))
  return sorted.slice(start, start + count)
}

/** The newest release that a channel offers; undefined when it offers none. */
export function newestOffered(
  index: ReleaseIndex,
  channel: string,
  avoided: ReadonlySet<string> = new Set(),
): ListedRelease | undefined {
  const members = new Set(index.channels[channel])
  return index.releases.findLast(
    ({ version, yanked }) => members.has(version) && yanked === undefined && !avoided.has(version),
  )
}

const anySize = Number.MAX_SAFE_INTEGER

function checkListed(release: Fields): void {
  release.text('version', isVersion)
  release.text('commit', text => /^[0-9a-f]{7,64}$/.test(text))
  release.integer('sourceDateEpoch', 0, anySize)
  release.boolean('snapshot')
  checkStored(release.object('record'))
  if (release.has('yanked')) {
    const yanked = release.object('yanked')
    yanked.text('reason')
    yanked.integer('atMs', 0, anySize)
  }
  if (release.has('held')) release.boolean('held')
  if (release.has('provenance')) {
    const provenance = release.object('provenance')
    provenance.text('name')
    checkStored(provenance)
  }
  for (const [deb] of release.objects('debs')) for (const name of ['package', 'version', 'architecture']) deb.text(name)
  for (const [image] of release.objects('images')) {
    checkStored(image)
    for (const [referrer] of image.objects('referrers')) {
      checkStored(referrer)
      referrer.text('artifactType')
    }
  }
  for (const [file] of release.objects('python')) {
    checkStored(file)
    for (const name of ['name', 'project']) file.text(name)
    file.optionalText('requiresPython')
  }
}

function checkStored(fields: Fields): void {
  fields.integer('sizeBytes', 0, anySize)
  fields.text('digest', isDigest)
}

function checkChannels(index: ReleaseIndex, versions: ReadonlySet<string>, fields: Fields): void {
  fields.object('channels')
  for (const [channel, members] of Object.entries<unknown>(index.channels)) {
    if (!isChannelName(channel)) throw fields.error(`has the channel ${JSON.stringify(channel)}`)
    if (Array.isArray(members) && members.every(version => versions.has(version))) continue
    throw fields.error(`has versions in the channel ${channel} that it does not list`)
  }
}

function parseJson(bytes: Uint8Array, place: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (caught) {
    throw new ReleaseError('DOCUMENT_INVALID', `${place} is not JSON`, { cause: caught })
  }
}
