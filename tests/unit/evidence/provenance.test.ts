import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/core/digest.ts'
import { createProvenance, type ProvenanceOptions } from '../../../src/evidence/provenance.ts'
import { assertSubjects, parseStatement } from '../../../src/evidence/statement.ts'
import type { Artifact, ReleaseRecord } from '../../../src/payload/release-record.ts'
import { codeOf } from '../../support/codes.ts'

const artifact = (name: string, kind: 'sbom' | 'provenance' | 'source' = 'source'): Artifact => ({
  kind,
  name,
  sizeBytes: 1,
  digest: digestOf(name),
  mediaType: 'text/plain',
})
const options: ProvenanceOptions = {
  name: 'notes',
  version: '1.0.0',
  commit: 'c'.repeat(40),
  tree: 'd'.repeat(40),
  tag: 'v1.0.0',
  recipeDigest: digestOf('recipe'),
  repositoryUrl: 'https://ada:secret@git.example.org/notes.git?token=secret#secret',
  sourceDateEpoch: 1_700_000_000,
  commands: { tests: ['npm test'], build: ['npm ci'] },
  encoders: ['zstd 1.5.7'],
  materials: [{ name: 'package-lock.json', digest: digestOf('lock') }],
  artifacts: [artifact('b'), artifact('a', 'sbom')],
}
const bytes = createProvenance(options)
const record = {
  name: 'notes',
  version: '1.0.0',
  commit: options.commit,
  components: [{ name: 'notes', artifacts: [...options.artifacts, artifact('p', 'provenance')] }],
} as unknown as ReleaseRecord

describe('createProvenance', () => {
  it('says what was made of what', () => {
    expect(JSON.parse(bytes.toString())).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      predicateType: 'https://slsa.dev/provenance/v1',
      subject: [
        { name: 'a', digest: { sha256: hexOf(digestOf('a')) } },
        { name: 'b', digest: { sha256: hexOf(digestOf('b')) } },
      ],
      predicate: {
        buildDefinition: {
          buildType: 'https://cutover.dev/provenance/cut/v1',
          externalParameters: {
            application: 'notes',
            version: '1.0.0',
            tag: 'v1.0.0',
            repository: 'https://git.example.org/notes.git',
            recipe: { sha256: hexOf(digestOf('recipe')) },
          },
          internalParameters: {
            tree: { gitTree: options.tree },
            sourceDateEpoch: 1_700_000_000,
            commands: options.commands,
            encoders: ['zstd 1.5.7'],
          },
          resolvedDependencies: [
            {
              name: 'source',
              uri: `git+https://git.example.org/notes.git@${options.commit}`,
              digest: { gitCommit: options.commit },
            },
            { name: 'package-lock.json', digest: { sha256: hexOf(digestOf('lock')) } },
          ],
        },
        runDetails: {
          builder: { id: 'https://cutover.dev/release', version: { cutover: '0.1.0' } },
          metadata: { invocationId: `notes/1.0.0/${options.commit}` },
        },
      },
    })
  })

  it('keeps secrets of an address to itself, and says nothing of what is no address', () => {
    expect(bytes.toString()).not.toMatch(/secret|ada:/)
    const without = JSON.parse(createProvenance({ ...options, repositoryUrl: '../notes', tag: undefined }).toString())
    expect(without.predicate.buildDefinition.resolvedDependencies[0]).toEqual({
      name: 'source',
      digest: { gitCommit: options.commit },
    })
  })
})

describe('assertSubjects', () => {
  it('finds every artifact but the provenance itself', () => {
    expect(codeOf(() => assertSubjects(parseStatement(bytes), record))).toBeUndefined()
  })

  it.each([
    ['an artifact fewer', { artifacts: [artifact('a')] }],
    ['an artifact more', { artifacts: [...options.artifacts, artifact('c')] }],
    ['an artifact with another digest', { artifacts: [artifact('a'), { ...artifact('b'), digest: digestOf('x') }] }],
    ['another commit', { commit: 'e'.repeat(40) }],
  ])('finds %s', (_, change) => {
    const other = parseStatement(createProvenance({ ...options, ...change }))
    expect(codeOf(() => assertSubjects(other, record))).toBe('EVIDENCE_MISMATCH')
  })
})

describe('parseStatement', () => {
  const changed = (change: (json: ReturnType<typeof JSON.parse>) => void) => {
    const json = JSON.parse(bytes.toString())
    change(json)
    return Buffer.from(JSON.stringify(json))
  }

  it.each([
    ['another statement', changed(json => (json._type = 'https://in-toto.io/Statement/v0.1'))],
    ['another predicate', changed(json => (json.predicateType = 'https://slsa.dev/provenance/v0.2'))],
    ['a subject twice', changed(json => json.subject.push(json.subject[0]))],
    ['a subject without SHA-256', changed(json => (json.subject[0].digest = { sha1: 'x' }))],
    ['no subjects', changed(json => delete json.subject)],
    ['no predicate', changed(json => delete json.predicate)],
    ['no source', changed(json => json.predicate.buildDefinition.resolvedDependencies.shift())],
    ['no builder', changed(json => delete json.predicate.runDetails.builder.id)],
    ['no JSON', Buffer.from('{')],
  ])('refuses %s', (_, statement) => {
    expect(codeOf(() => parseStatement(statement))).toBe('EVIDENCE_INVALID')
  })
})
