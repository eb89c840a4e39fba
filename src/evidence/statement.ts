import { type Digest, hexOf, isDigest } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { predicateType, statementVersion } from './provenance.ts'

/** What a provenance says, as far as readers compare it. */
export interface ProvenanceSummary {
  /** SHA-256 by name. */
  readonly subjects: ReadonlyMap<string, Digest>
  readonly buildType: string
  readonly builder: string
  readonly commit: string
  readonly materials: number
}

/** Read a provenance statement. Errors: EVIDENCE_INVALID. */
export function parseStatement(bytes: Uint8Array): ProvenanceSummary {
  const statement = object(parseJson(bytes), 'the statement')
  if (statement['_type'] !== statementVersion) throw invalid(`is not a ${statementVersion}`)
  if (statement['predicateType'] !== predicateType) throw invalid(`is not a ${predicateType}`)
  const subjects = new Map<string, Digest>()
  for (const entry of list(statement['subject'], 'subject')) {
    const { name, digest } = object(entry, 'a subject')
    const found = `sha256:${object(digest, 'a digest')['sha256']}`
    if (typeof name !== 'string' || !isDigest(found) || subjects.has(name)) throw invalid('has a subject that is none')
    subjects.set(name, found)
  }
  const predicate = object(statement['predicate'], 'the predicate')
  const definition = object(predicate['buildDefinition'], 'buildDefinition')
  const materials = list(definition['resolvedDependencies'], 'resolvedDependencies')
  const source = materials.map(each => object(each, 'a dependency')).find(({ name }) => name === 'source')
  return {
    subjects,
    buildType: text(definition['buildType'], 'buildType'),
    builder: text(object(object(predicate['runDetails'], 'runDetails')['builder'], 'builder')['id'], 'builder.id'),
    commit: text(object(source?.['digest'], 'the source')['gitCommit'], 'gitCommit'),
    materials: materials.length,
  }
}

/**
 * Check that a provenance is about a release: the same commit, and every artifact but the provenance itself, no more and no fewer.
 *
 * Errors: EVIDENCE_MISMATCH with the first name that differs.
 */
export function assertSubjects(summary: ProvenanceSummary, record: ReleaseRecord): void {
  const release = `${record.name} ${record.version}`
  if (summary.commit !== record.commit)
    throw mismatch(`was made of the commit ${summary.commit}, ${release} of ${record.commit}`)
  const artifacts = record.components.flatMap(component => component.artifacts)
  const expected = new Map(artifacts.filter(({ kind }) => kind !== 'provenance').map(each => [each.name, each.digest]))
  for (const name of new Set([...expected.keys(), ...summary.subjects.keys()])) {
    const [wanted, found] = [expected.get(name), summary.subjects.get(name)]
    if (wanted === found) continue
    throw mismatch(`has ${digestText(found)} for ${name}, ${release} has ${digestText(wanted)}`)
  }
}

function digestText(digest: Digest | undefined): string {
  return digest === undefined ? 'nothing' : hexOf(digest)
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch (caught) {
    throw new ReleaseError('EVIDENCE_INVALID', 'a provenance is not JSON', { cause: caught })
  }
}

function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`has something else for ${what}`)
  return value as Readonly<Record<string, unknown>>
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`has no list ${what}`)
  return value
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw invalid(`has no text ${what}`)
  return value
}

function invalid(problem: string): ReleaseError {
  return new ReleaseError('EVIDENCE_INVALID', `a provenance ${problem}`)
}

function mismatch(problem: string): ReleaseError {
  return new ReleaseError('EVIDENCE_MISMATCH', `the provenance ${problem}`)
}
