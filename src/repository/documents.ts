import { stableJson } from '../core/canonical-json.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import {
  indexTarget,
  poolKey,
  type ReleaseIndex,
  type RepositoryDescription,
  recordTarget,
  repositoryFile,
  rootKey,
  targetKey,
} from '../trust/layout.ts'
import { renderStanza } from './apt/control.ts'
import { type SignedRelease, signRelease } from './apt/sign.ts'
import { renderSources, renderSuite, type Suite, type SuiteEntry, suitePointers, suites } from './apt/suite.ts'
import { artifactsOf, type Catalogue, type CatalogueEntry, suiteOf } from './catalogue.ts'
import { type Document, immutable, pointer } from './document.ts'
import { type ReleaseEvidence, renderEvidence } from './evidence.ts'
import type { AptKeyFile } from './keys/key-file.ts'
import { renderLayout } from './oci/layout.ts'
import { cutReferrers, provenanceReferrers } from './oci/referrers.ts'
import { renderApplication, renderEntrance, renderRelease, sourcesKey } from './pages/pages.ts'
import { renderProjectList, renderProjects } from './python/simple.ts'
import type { NewTarget } from './tuf/metadata.ts'
import { metadataKey } from './tuf/state.ts'

/** The part of a repository that a publication touches. */
export interface Scope {
  /** The applications whose files are made anew. */
  readonly applications: readonly string[]
  /** The apt suites that are signed anew. */
  readonly suites: readonly Suite[]
  /** The release that is being added; absent when a repository is set up. */
  readonly record?: ReleaseRecord
  /** That release's. */
  readonly evidence?: ReleaseEvidence
  /** The signed provenances of all releases of the applications, by application and version. */
  readonly envelopes: ReadonlyMap<string, ReadonlyMap<string, Buffer>>
}

/** Render every generated file of a publication but TUF's. Errors: PACKAGE_INVALID. */
export async function renderDocuments(
  catalogue: Catalogue,
  scope: Scope,
  options: { readonly aptKey: AptKeyFile; readonly root: Buffer; readonly nowMs: number },
): Promise<readonly Document[]> {
  const { description } = catalogue
  const touched = catalogue.applications.filter(entry => scope.applications.includes(entry.name))
  const apt = await Promise.all(scope.suites.map(suite => renderAptSuite(catalogue, suite, options)))
  return [
    ...apt.flat(),
    ...touched.flatMap(entry => renderImages(entry, scope.envelopes.get(entry.name))),
    ...touched.flatMap(renderProjects),
    renderProjectList(catalogue.applications),
    ...(scope.record === undefined ? [] : renderAdded(description, scope.record, scope.evidence)),
    ...touched.map(entry => renderApplication(description, entry)),
    renderEntrance(catalogue, digestOf(options.root)),
  ]
}

/** Render the files that are made once, when a repository is set up. */
export function renderFoundation(catalogue: Catalogue, root: Buffer): readonly Document[] {
  const { description } = catalogue
  return [
    immutable('metadata', metadataKey('root', 1), root, 'application/json'),
    pointer(rootKey, root, 'application/json'),
    pointer('apt/key.asc', description.aptKey, 'application/pgp-keys'),
    ...suites.map(suite =>
      pointer(
        sourcesKey(suite),
        renderSources({ url: description.url, suite, aptKey: description.aptKey }),
        'text/plain',
      ),
    ),
    pointer(repositoryFile, stableJson(description), 'application/json'),
  ]
}

/** A target of TUF with its bytes. */
export interface TargetDocument {
  readonly target: NewTarget
  readonly document: Document
}

/** Render the list of an application's releases as a target. */
export function indexDocument(entry: CatalogueEntry): TargetDocument {
  const index: ReleaseIndex = {
    schema: 1,
    application: entry.name,
    releases: entry.releases.map(({ version, commit, sourceDateEpoch, tag }) => ({
      version,
      commit,
      sourceDateEpoch,
      snapshot: tag === undefined,
    })),
  }
  return targetDocument(indexTarget(entry.name), Buffer.from(stableJson(index)))
}

/** Make a release's record a target, in the bytes that `cut` wrote. */
export function recordDocument(record: ReleaseRecord, bytes: Buffer): TargetDocument {
  return targetDocument(recordTarget(record.name, record.version), bytes)
}

function targetDocument(path: string, bytes: Buffer): TargetDocument {
  const digest: Digest = digestOf(bytes)
  return {
    target: { path, sizeBytes: bytes.byteLength, digest },
    document: immutable('metadata', targetKey(path, digest), bytes, 'application/json'),
  }
}

async function renderAptSuite(
  catalogue: Catalogue,
  suite: Suite,
  options: { readonly aptKey: AptKeyFile; readonly nowMs: number },
): Promise<readonly Document[]> {
  const entries = suiteEntries(catalogue, suite)
  const repositoryName = catalogue.description.name
  const rendered = renderSuite({ suite, repositoryName, entries, nowMs: options.nowMs })
  const signed: SignedRelease = await signRelease(rendered.release, options.aptKey, options.nowMs)
  return [...rendered.documents, ...suitePointers(suite, rendered.release, signed)]
}

function suiteEntries(catalogue: Catalogue, suite: Suite): readonly SuiteEntry[] {
  return catalogue.applications.flatMap(({ name, releases }) =>
    releases
      .filter(record => suiteOf(record) === suite)
      .flatMap(record =>
        artifactsOf(record, 'deb').map(deb => ({
          architecture: deb.architecture,
          stanza: renderStanza(deb, poolKey(name, record.version, deb.name)),
        })),
      ),
  )
}

function renderAdded(
  description: RepositoryDescription,
  record: ReleaseRecord,
  evidence: ReleaseEvidence | undefined,
): readonly Document[] {
  const signed = evidence?.provenance === undefined ? [] : renderEvidence(record, evidence.provenance)
  return [renderRelease(description, record, evidence), ...signed]
}

function renderImages(entry: CatalogueEntry, envelopes: ReadonlyMap<string, Buffer> | undefined): readonly Document[] {
  const images = entry.releases.flatMap(record =>
    artifactsOf(record, 'oci').map(({ digest, sizeBytes }) => ({ version: record.version, digest, sizeBytes })),
  )
  const referrers = entry.releases.flatMap(record => {
    const envelope = envelopes?.get(record.version)
    return [...cutReferrers(record), ...(envelope === undefined ? [] : provenanceReferrers(record, envelope))]
  })
  return images.length === 0 ? [] : renderLayout(entry.name, images, referrers)
}
