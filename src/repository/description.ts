import { stableJson } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import { Fields } from '../payload/fields.ts'
import { type RepositoryDescription, repositoryFile } from '../trust/layout.ts'
import { isChannelName } from '../trust/release-index.ts'
import type { TargetReader } from './target.ts'
import { defaultLifetimesDays } from './tuf/expiry.ts'

/** What a repository is set up with when nothing else is said. */
export const defaultSettings: Pick<RepositoryDescription, 'channels' | 'lifetimesDays' | 'apt'> = {
  channels: ['edge', 'beta', 'stable'],
  lifetimesDays: defaultLifetimesDays,
  apt: { components: 'repository', compressions: ['gz', 'zst'], contents: false },
}

const maxDescriptionBytes = 64 * 1024

/** Write a description as it is stored and signed. */
export function descriptionBytes(description: RepositoryDescription): Buffer {
  return Buffer.from(stableJson(description))
}

/** Read what a repository says of itself, unsigned: who publishes believes its signed twin. Errors: REPOSITORY_UNKNOWN, REPOSITORY_DAMAGED. */
export async function readDescription(target: TargetReader): Promise<RepositoryDescription> {
  const bytes = await target.get(repositoryFile, maxDescriptionBytes)
  if (bytes !== undefined) return parseDescription(bytes, target.name)
  throw new ReleaseError('REPOSITORY_UNKNOWN', `${target.name} has no ${repositoryFile}`, {
    hint: `make the repository first: release init ${target.name}`,
    details: { path: target.name },
  })
}

/** Parse what a repository says of itself. Errors: REPOSITORY_DAMAGED, DOCUMENT_NEWER. */
export function parseDescription(bytes: Buffer, place: string): RepositoryDescription {
  try {
    const description = JSON.parse(bytes.toString('utf8')) as RepositoryDescription
    checkDescription(new Fields(description, 'DOCUMENT_INVALID', repositoryFile), place)
    assertSettings(description)
    return description
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'DOCUMENT_NEWER') throw caught
    const { message } = caught as Error
    throw new ReleaseError('REPOSITORY_DAMAGED', `${repositoryFile} in ${place} cannot be read: ${message}`, {
      cause: caught,
      details: { path: place },
    })
  }
}

/** Refuse settings that cannot work. Errors: USAGE. */
export function assertSettings({ url, channels, lifetimesDays, apt }: RepositoryDescription): void {
  assertAddress(url)
  const strange = channels.find(channel => !isChannelName(channel))
  if (strange !== undefined || channels.length === 0 || new Set(channels).size < channels.length) {
    throw new ReleaseError('USAGE', `not a list of channels: ${JSON.stringify(channels)}`, {
      hint: 'name each once, least stable first, with a-z 0-9 and -, such as edge,beta,stable',
    })
  }
  const days = [...Object.values<number>({ ...lifetimesDays }), ...(apt.validDays === undefined ? [] : [apt.validDays])]
  if (days.every(value => Number.isSafeInteger(value) && value >= 1 && value <= 36_500)) return
  throw new ReleaseError('USAGE', `not a lifetime in days: ${days.join(', ')}`, {
    hint: 'give whole days from 1 to 36500',
  })
}

/** Every client is told the address, in commands to copy, apt's files and headers. No client speaks to object stores. */
function assertAddress(url: string): void {
  const address = /^[!-~]+$/.test(url) && URL.canParse(url) ? new URL(url) : undefined
  const isKnown = address !== undefined && ['http:', 'https:', 'file:'].includes(address.protocol)
  if (isKnown && address.username + address.password + address.search + address.hash === '') return
  const shown = url.replace(/[^/]*@/, '…@')
  throw new ReleaseError('USAGE', `not an address that clients read a repository from: ${JSON.stringify(shown)}`, {
    hint: 'say with --url where clients reach it: https://HOST/PATH, without user, query or fragment; for a bucket its https address, or that of what stands before it',
  })
}

const roles = ['root', 'targets', 'application', 'snapshot', 'timestamp'] as const

function checkDescription(fields: Fields, place: string): void {
  const schema = fields.integer('schema', 1, Number.MAX_SAFE_INTEGER)
  if (schema > 1)
    throw new ReleaseError('DOCUMENT_NEWER', `${repositoryFile} in ${place} has schema ${schema}, this version reads 1`)
  for (const name of ['name', 'url', 'aptKey']) fields.text(name)
  fields.texts('channels')
  const lifetimes = fields.object('lifetimesDays')
  for (const role of roles) lifetimes.integer(role, 1, 36_500)
  const apt = fields.object('apt')
  apt.choice('components', ['repository', 'application'])
  apt.boolean('contents')
  if (apt.has('validDays')) apt.integer('validDays', 1, 36_500)
  const forms = apt.texts('compressions')
  if (!forms.every(form => ['gz', 'zst', 'xz'].includes(form))) throw apt.unexpected('compressions', 'gz, zst or xz')
}
