// One by one: every command loads these, and all of semver takes ten times as long.
import compareBuild from 'semver/functions/compare-build.js'
import parse from 'semver/functions/parse.js'
import prerelease from 'semver/functions/prerelease.js'
import { ReleaseError } from './error.ts'

/**
 * Accept a version: Semantic Versioning 2.0.0 without a leading `v`, in its one canonical spelling.
 *
 * Errors: VERSION_INVALID. Source: semver.org §2, §9, §10.
 */
export function parseVersion(text: string): string {
  const parsed = parse(text)
  const canonical =
    parsed === null ? undefined : parsed.version + (parsed.build.length > 0 ? `+${parsed.build.join('.')}` : '')
  if (canonical === undefined || canonical !== text) {
    throw new ReleaseError(
      'VERSION_INVALID',
      `not a version: ${JSON.stringify(text.slice(0, 80))}, expected MAJOR.MINOR.PATCH`,
      {
        hint: `write the version as in 1.2.3 or 1.2.0-rc.1${canonical === undefined ? '' : `; did you mean ${canonical}?`}`,
      },
    )
  }
  return text
}

/** Tell whether {@link parseVersion} would accept the text. */
export function isVersion(text: string): boolean {
  const parsed = parse(text)
  return parsed !== null && parsed.version + (parsed.build.length > 0 ? `+${parsed.build.join('.')}` : '') === text
}

/** Order two versions by precedence (build metadata last, so that the order is total). */
export function compareVersions(a: string, b: string): number {
  return compareBuild(a, b)
}

/** Tell whether a version comes before the release that it is named after, such as `1.2.0-rc.1`. */
export function isPreRelease(version: string): boolean {
  return prerelease(version) !== null
}

/** The newest of some versions, or undefined when there is none. Pre-releases count only when asked for. */
export function newestVersion(
  versions: readonly string[],
  options: { readonly preReleases: boolean },
): string | undefined {
  const eligible = versions.filter(version => options.preReleases || prerelease(version) === null)
  return eligible.toSorted(compareVersions).at(-1)
}

/**
 * Name the snapshot of a commit: sorts after the release `base` in Debian's order and before the next.
 *
 * Shape: `1.1.5-git20261120.abc1234`, in semver a pre-release of 1.1.5; Debian's `1.1.5~git20261120.abc1234`. With `until` `second` it is
 * `1.1.5-git20261120074500.abc1234`: a server that installs one commit after the other must tell which is newer.
 */
export function snapshotVersion(
  base: string,
  commitTimeSeconds: number,
  commit: string,
  until: 'day' | 'second' = 'day',
): string {
  const digits = new Date(commitTimeSeconds * 1000).toISOString().replace(/\D/g, '')
  const time = digits.slice(0, until === 'day' ? 'YYYYMMDD'.length : 'YYYYMMDDhhmmss'.length)
  const short = commit.slice(0, 7)
  // An identifier of digits only may not start with a zero (semver §9).
  return parseVersion(`${base}-git${time}.${/^\d+$/.test(short) ? 'g' : ''}${short}`)
}

const pythonPhases: Readonly<Record<string, string>> = { alpha: 'a', beta: 'b', rc: 'rc' }

/**
 * Map a version to Python's: `1.2.0-rc.1` → `1.2.0rc1`, a snapshot `1.1.5-git20261120.abc1234` → `1.1.5.dev20261120+gabc1234`.
 *
 * Errors: VERSION_INVALID (another pre-release, build metadata). Source: PEP 440.
 */
export function pythonVersion(version: string): string {
  const [, release, day, commit, phase, number] =
    /^(\d+\.\d+\.\d+)(?:-git(\d{8})\.g?([0-9a-f]{7})|-(alpha|beta|rc)\.(\d+))?$/.exec(parseVersion(version)) ?? []
  if (release === undefined) {
    throw new ReleaseError('VERSION_INVALID', `${version} has no form in Python's versions`, {
      hint: 'write pre-releases as 1.2.0-alpha.1, 1.2.0-beta.1 or 1.2.0-rc.1',
      details: { version },
    })
  }
  if (day !== undefined) return `${release}.dev${day}+g${commit}`
  return phase === undefined ? release : `${release}${pythonPhases[phase]}${number}`
}

/**
 * Map a version to Debian's: the pre-release sorts before the release (`~`), revision appended.
 *
 * `1.2.0-rc.1` → `1.2.0~rc.1-1`; hyphens inside a pre-release become dots, for the last hyphen starts the revision.
 * Source: deb-version(7).
 */
export function debianVersion(
  version: string,
  options: { readonly revision?: string; readonly epoch?: number } = {},
): string {
  const parsed = parse(parseVersion(version))!
  const pre = parsed.prerelease.length > 0 ? `~${parsed.prerelease.join('.').replaceAll('-', '.')}` : ''
  const build = parsed.build.length > 0 ? `+${parsed.build.join('.').replaceAll('-', '.')}` : ''
  const epoch = options.epoch === undefined || options.epoch === 0 ? '' : `${options.epoch}:`
  return `${epoch}${parsed.major}.${parsed.minor}.${parsed.patch}${pre}${build}-${options.revision ?? '1'}`
}
