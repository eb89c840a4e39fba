import { ReleaseError } from '../core/error.ts'

/** What people are told of an SBOM. */
export interface SbomSummary {
  /** What it is of, such as `notes 1.1.4`. */
  readonly subject: string
  readonly specVersion: string
  readonly packages: number
  readonly files: number
  /** How many packages name a licence, the most frequent first. */
  readonly licences: readonly { readonly name: string; readonly packages: number }[]
}

/** A file is in a package, which may be in a base image; nothing of ours goes deeper. */
const maxDepth = 16

interface Counts {
  packages: number
  files: number
  readonly licences: Map<string, number>
}

/** Read an SBOM that came from outside, as far as it is shown. Errors: EVIDENCE_INVALID. */
export function summariseSbom(bytes: Uint8Array): SbomSummary {
  const bill = object(parseJson(bytes))
  const { specVersion, bomFormat, components, metadata } = bill
  if (bomFormat !== 'CycloneDX' || typeof specVersion !== 'string') throw invalid('is not CycloneDX')
  const counts: Counts = { packages: 0, files: 0, licences: new Map() }
  // The application itself is not one of its packages.
  const subject = object(object(metadata)['component'])
  count(subject['components'], counts, 1)
  count(components, counts, 1)
  const licences = [...counts.licences]
    .map(([name, packages]) => ({ name, packages }))
    .sort((a, b) => b.packages - a.packages || (a.name < b.name ? -1 : 1))
  return {
    subject: `${subject['name']} ${subject['version']}`,
    specVersion,
    packages: counts.packages,
    files: counts.files,
    licences,
  }
}

/** Word how much an SBOM lists: `1 package, 12 files`. */
export function countText({ packages, files }: Pick<SbomSummary, 'packages' | 'files'>): string {
  return `${packages} package${packages === 1 ? '' : 's'}, ${files} file${files === 1 ? '' : 's'}`
}

/** Check that an SBOM is of a component of a release. Errors: EVIDENCE_MISMATCH. */
export function assertSbom(
  { subject }: SbomSummary,
  expected: { readonly name: string; readonly version: string },
): void {
  const wanted = `${expected.name} ${expected.version}`
  if (subject === wanted) return
  throw new ReleaseError('EVIDENCE_MISMATCH', `an SBOM is one of ${subject.slice(0, 200)}, expected ${wanted}`, {
    details: { found: subject.slice(0, 200), expected: wanted },
  })
}

function count(components: unknown, counts: Counts, depth: number): void {
  if (components === undefined) return
  if (depth > maxDepth) throw invalid('is nested too deeply')
  if (!Array.isArray(components)) throw invalid('has components that are no list')
  for (const each of components) {
    const { type, licenses, components: nested } = object(each)
    if (type === 'file') counts.files += 1
    else counts.packages += 1
    if (Array.isArray(licenses))
      for (const name of new Set(licenses.flatMap(licenceName))) increase(counts.licences, name)
    count(nested, counts, depth + 1)
  }
}

function licenceName(choice: unknown): readonly string[] {
  const { expression, license } = object(choice)
  const { id, name } = license === undefined ? {} : object(license)
  const found = [expression, id, name].find(each => typeof each === 'string')
  return typeof found === 'string' ? [found] : []
}

function increase(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('has something else than an object')
  return value as Readonly<Record<string, unknown>>
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (caught) {
    throw new ReleaseError('EVIDENCE_INVALID', 'an SBOM is not JSON', { cause: caught })
  }
}

function invalid(problem: string): ReleaseError {
  return new ReleaseError('EVIDENCE_INVALID', `an SBOM ${problem}`)
}
