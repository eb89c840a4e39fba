import { hexOf } from '../../core/digest.ts'
import { compareBytes } from '../../core/relative-path.ts'
import type { RepositoryDescription } from '../../trust/layout.ts'
import { isListed } from './by-hash.ts'
import type { IndexState } from './state.ts'

const dayMs = 86_400_000

/** apt takes nothing that was made more than ten seconds from now (`Acquire::Max-FutureTime`), by a clock that is not ours. */
const backDateMs = 60_000

/** What a Release file says. */
export interface ReleaseText {
  readonly suite: string
  readonly description: RepositoryDescription
  readonly dateMs: number
  readonly notAutomatic: boolean
  readonly architectures: readonly string[]
  readonly components: readonly string[]
  readonly indexes: Readonly<Record<string, IndexState>>
  /** Fingerprints of the keys that sign: apt asks one of these of the next Release file. */
  readonly signedBy: readonly string[]
}

/**
 * Choose the time of a Release file: a little back, and later than the one before, for apt keeps what it has when it is offered
 * something older. So a channel that is rolled back has a newer Release file.
 */
export function releaseDateMs(nowMs: number, beforeMs: number | undefined): number {
  const dateMs = Math.floor((nowMs - backDateMs) / 1000) * 1000
  return beforeMs === undefined ? dateMs : Math.max(dateMs, beforeMs + 1000)
}

/**
 * Write a Release file.
 *
 * Origin, Label and Codename never change: apt refuses a repository whose do until a person agrees. The one hash that is listed
 * is the one that by-hash is stored for: apt asks for the strongest. Source: DebianRepository/Format, "Release" files.
 */
export function renderRelease(release: ReleaseText): string {
  const { description, suite, dateMs } = release
  const { validDays } = description.apt
  const lines = [
    `Origin: ${description.name}`,
    `Label: ${description.name}`,
    `Suite: ${suite}`,
    `Codename: ${suite}`,
    `Date: ${timeText(dateMs)}`,
    ...(validDays === undefined ? [] : [`Valid-Until: ${timeText(dateMs + validDays * dayMs)}`]),
    // Upgraded from this suite is what came from it; nothing else moves here by itself.
    ...(release.notAutomatic ? ['NotAutomatic: yes', 'ButAutomaticUpgrades: yes'] : []),
    'Acquire-By-Hash: yes',
    // Those of architecture `all` are in the indexes of every architecture: nobody needs to fetch both.
    'No-Support-for-Architecture-all: Packages',
    `Architectures: ${release.architectures.join(' ')}`,
    `Components: ${release.components.join(' ')}`,
    `Description: The channel ${suite} of ${description.name}`,
    ...snapshotsField(description.url),
    `Signed-By: ${release.signedBy.map(fingerprint => fingerprint.toUpperCase()).join(',')}`,
    'SHA256:',
    ...listedFiles(release.indexes),
  ]
  return `${lines.join('\n')}\n`
}

/** apt 2.7 and later put an identifier in its place: `apt --snapshot ID`. */
function snapshotsField(url: string): readonly string[] {
  return /^https?:/i.test(url) ? [`Snapshots: ${url.replace(/\/*$/, '')}/snapshot/@SNAPSHOTID@/`] : []
}

function listedFiles(indexes: Readonly<Record<string, IndexState>>): readonly string[] {
  return Object.entries(indexes)
    .filter(([path]) => isListed(path))
    .flatMap(([path, { generations }]) =>
      Object.entries(generations.at(-1) ?? {}).map(([extension, file]) => ({ path: `${path}${extension}`, file })),
    )
    .toSorted((a, b) => compareBytes(a.path, b.path))
    .map(({ path, file }) => ` ${hexOf(file.digest)} ${file.sizeBytes} ${path}`)
}

/** Source: RFC 5322 §3.3; apt wants the zone as `+0000` or `UTC`. */
function timeText(timeMs: number): string {
  return new Date(timeMs).toUTCString().replace('GMT', '+0000')
}
