import type { Digest } from '../core/digest.ts'
import { applicationRole } from '../trust/layout.ts'
import { roleKeys } from '../trust/role-keys.ts'
import { suites } from './apt/suite.ts'
import { type Catalogue, suiteOf, withApplications, withRelease } from './catalogue.ts'
import type { ReadyRelease } from './dist.ts'
import { type Document, immutable, pointer } from './document.ts'
import { indexDocument, recordDocument, renderDocuments, renderFoundation, type Scope } from './documents.ts'
import { readPublishedEnvelopes, signEvidence } from './evidence.ts'
import { generateTufKey, type KeyFolder } from './keys/folder.ts'
import type { TufKeyFile } from './keys/key-file.ts'
import { signingWith } from './keys/signing.ts'
import { keysToHead, type Publication, planPublication } from './plan.ts'
import type { TargetReader } from './target.ts'
import { nextMetadata, type Signing } from './tuf/metadata.ts'
import { type TufState, timestampKey } from './tuf/state.ts'

/** What is to be published: a release, applications that have none yet, or both. */
export interface Addition {
  readonly release?: ReadyRelease
  readonly applications: readonly string[]
}

/** A publication with the bytes that it generated. */
export interface PreparedPublication {
  readonly publication: Publication
  readonly documents: readonly Document[]
}

/**
 * Make everything that a publication writes, signed, and plan the writes.
 *
 * Pre: `keys` has the key of every role that exists and changes; those of `newKeys` are for applications without a role.
 * Errors: KEY_MISSING, KEY_MISMATCH, REPOSITORY_CONFLICT, PACKAGE_INVALID.
 */
export async function preparePublication(
  state: { readonly tuf: TufState; readonly catalogue: Catalogue },
  addition: Addition,
  options: {
    readonly target: TargetReader
    readonly keys: KeyFolder
    readonly trustedRoot: string
    readonly newKeys: readonly TufKeyFile[]
    readonly nowMs: number
  },
): Promise<PreparedPublication> {
  const { release } = addition
  const { tuf } = state
  const root = Buffer.from(options.trustedRoot)
  const isNew = tuf.timestamp.version === 0
  const named = withApplications(state.catalogue, addition.applications)
  const catalogue = release === undefined ? named : withRelease(named, release.record)
  const signing = signingWith(options.keys, options)
  const scope: Scope = {
    applications: [...addition.applications, ...(release === undefined ? [] : [release.record.name])],
    suites: isNew ? suites : release === undefined ? [] : [suiteOf(release.record)],
    ...(await releaseScope(state, release, { target: options.target, signing })),
  }
  const rendered = await renderDocuments(catalogue, scope, { aptKey: options.keys.apt(), root, nowMs: options.nowMs })
  const targets = targetDocuments(catalogue, scope, release)
  const changes = Map.groupBy(targets, ({ application }) => application)
  const metadata = nextMetadata(
    tuf,
    new Map([...changes].map(([application, added]) => [application, added.map(({ target }) => target)])),
    signing,
  )
  const documents = [
    ...(isNew ? renderFoundation(catalogue, root) : []),
    ...rendered,
    ...targets.map(({ document }) => document),
    ...metadata.map(({ key, bytes }) =>
      key === timestampKey
        ? pointer(key, bytes, 'application/json')
        : immutable('metadata', key, bytes, 'application/json'),
    ),
  ]
  const files = release?.files ?? []
  const current = await headAll(options.target, keysToHead(files, documents))
  return { publication: planPublication({ base: tuf.timestamp.digest, files, documents, current }), documents }
}

/** What is said of the release that is added, and of those before it wherever all are listed. */
async function releaseScope(
  { tuf, catalogue }: { readonly tuf: TufState; readonly catalogue: Catalogue },
  release: ReadyRelease | undefined,
  { target, signing }: { readonly target: TargetReader; readonly signing: Signing },
): Promise<Pick<Scope, 'record' | 'evidence' | 'envelopes'>> {
  if (release === undefined) return { envelopes: new Map() }
  const { record } = release
  const role = applicationRole(record.name)
  const evidence = signEvidence(release, signing.signer(role))
  const published = catalogue.applications.find(({ name }) => name === record.name)?.releases ?? []
  const keys = roleKeys(tuf.targets.delegations, role)
  const envelopes = new Map(await readPublishedEnvelopes(target, published, keys))
  if (evidence.provenance !== undefined) envelopes.set(record.version, evidence.provenance.envelope)
  return { record, evidence, envelopes: new Map([[record.name, envelopes]]) }
}

/** Make the keys of applications that have no role yet; in memory unless `store` is set. Errors: KEY_MISSING (targets). */
export function keysOfNewApplications(
  tuf: TufState,
  applications: readonly string[],
  options: { readonly keys: KeyFolder; readonly store: boolean },
): readonly TufKeyFile[] {
  const { keys, store } = options
  const roles = applications.map(applicationRole).filter(role => !tuf.roles.has(role))
  // A role that nobody can delegate to needs no key.
  if (roles.length > 0) keys.tuf('targets')
  return roles.map(role => (store || keys.has(role) ? keys.ensureTuf(role) : generateTufKey(role)))
}

function targetDocuments(catalogue: Catalogue, scope: Scope, release: ReadyRelease | undefined) {
  const indexes = catalogue.applications
    .filter(entry => scope.applications.includes(entry.name))
    .map(entry => ({ application: entry.name, ...indexDocument(entry) }))
  if (release === undefined) return indexes
  return [...indexes, { application: release.record.name, ...recordDocument(release.record, release.bytes) }]
}

async function headAll(target: TargetReader, keys: readonly string[]): Promise<ReadonlyMap<string, Digest>> {
  const found = new Map<string, Digest>()
  for (const key of keys) {
    const stored = await target.head(key)
    if (stored !== undefined) found.set(key, stored.digest)
  }
  return found
}
