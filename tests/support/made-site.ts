import fs from 'node:fs'
import path from 'node:path'
import { digestOf, hexOf } from '../../src/core/digest.ts'
import { summariseSbom } from '../../src/evidence/sbom-summary.ts'
import { parseStatement } from '../../src/evidence/statement.ts'
import { type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { artifactsOf, normalizedProject } from '../../src/repository/artifacts.ts'
import { headOf } from '../../src/repository/channels.ts'
import { defaultSettings } from '../../src/repository/description.ts'
import type { Document } from '../../src/repository/document.ts'
import type { ReleaseEvidence } from '../../src/repository/evidence.ts'
import { type ApplicationSummary, emptyLedger, type Ledger } from '../../src/repository/ledger.ts'
import { listedRelease } from '../../src/repository/listing.ts'
import { renderApplication } from '../../src/repository/pages/application.ts'
import { renderEntrance } from '../../src/repository/pages/entrance.ts'
import { sourcesKey } from '../../src/repository/pages/keys.ts'
import { renderRelease } from '../../src/repository/pages/release.ts'
import { renderProjectList, renderProjects } from '../../src/repository/python/simple.ts'
import {
  type ListedRelease,
  ociBlobKey,
  poolKey,
  type ReleaseIndex,
  type RepositoryDescription,
} from '../../src/trust/layout.ts'

/** A repository whose pages are looked at; nothing in it is signed. */
export const description: RepositoryDescription = {
  schema: 1,
  name: 'vendor',
  url: 'https://releases.example.org',
  aptKey: '',
  ...defaultSettings,
}

/** The fingerprint of a root that there is not. */
export const rootFingerprint = digestOf('root')

/** List releases made by hand, oldest first, with their channels; `changes` are what was done with one afterwards. */
export function indexed(
  records: readonly ReleaseRecord[],
  channels: ReleaseIndex['channels'],
  changes: Readonly<Record<string, Partial<ListedRelease>>> = {},
): ReleaseIndex {
  const releases = records.map(record => ({
    ...listedRelease(record, recordBytes(record)),
    ...changes[record.version],
  }))
  return { schema: 1, application: records[0]!.name, releases, channels }
}

/** Sum an application up for the front page. */
export function summarised(index: ReleaseIndex, summary: string): ApplicationSummary {
  const heads = Object.keys(index.channels).flatMap(channel => {
    const head = headOf(index, channel)
    if (head === undefined) return []
    return [[channel, { version: head.version, sourceDateEpoch: head.sourceDateEpoch }] as const]
  })
  const unique = (names: readonly string[]) => [...new Set(names)].toSorted()
  return {
    summary,
    releases: index.releases.length,
    heads: Object.fromEntries(heads),
    packages: unique(index.releases.flatMap(({ debs }) => debs.map(deb => deb.package))),
    projects: unique(index.releases.flatMap(({ python }) => python.map(file => normalizedProject(file.project)))),
  }
}

/** Write a ledger for applications made by hand. */
export function ledgerOf(applications: Readonly<Record<string, ApplicationSummary>>): Ledger {
  return { ...emptyLedger, applications }
}

/** What a release's page tells of its evidence, from the files that were made with it. */
export function evidenceOf(record: ReleaseRecord, distFolder: string): ReleaseEvidence {
  const read = (name: string) => fs.readFileSync(path.join(distFolder, record.version, name))
  const sboms = artifactsOf(record, 'sbom').map(({ name }) => ({ name, summary: summariseSbom(read(name)) }))
  const [statement] = artifactsOf(record, 'provenance')
  if (statement === undefined) return { sboms }
  const summary = parseStatement(read(statement.name))
  const envelope = Buffer.from('{}')
  return { sboms, provenance: { name: `${record.name}.intoto.jsonl`, envelope, keyId: 'a'.repeat(64), summary } }
}

/** An application whose pages are made. */
export interface MadeApplication {
  readonly index: ReleaseIndex
  readonly records: readonly ReleaseRecord[]
  readonly summary: string
  readonly distFolder: string
}

/** Write everything that browsers and pip read of a repository into a folder, with the files of its releases. */
export function writeSite(folder: string, site: RepositoryDescription, applications: readonly MadeApplication[]): void {
  const summaries = applications.map(({ index, summary }) => [index.application, summarised(index, summary)] as const)
  const ledger = ledgerOf(Object.fromEntries(summaries))
  writeDocuments(folder, [renderEntrance(site, ledger, rootFingerprint), ...renderProjectList(ledger)])
  for (const { index, records, distFolder } of applications) {
    const summary = ledger.applications[index.application]!
    writeDocuments(folder, [
      renderApplication(site, index, { summary, rootFingerprint }),
      ...records.map(record =>
        renderRelease(site, record, { index, rootFingerprint, evidence: evidenceOf(record, distFolder) }),
      ),
      ...renderProjects(index),
    ])
    for (const record of records) copyFiles(folder, record, distFolder)
  }
  for (const key of foreign(site)) writeBytes(folder, key, Buffer.from('not looked at here'))
}

/** What the pages lead to and others render. */
function foreign({ channels }: RepositoryDescription): readonly string[] {
  return ['repository.json', 'metadata/root.json', 'apt/key.asc', ...channels.map(channel => sourcesKey(channel))]
}

/** Write documents to where they belong below a folder. */
export function writeDocuments(folder: string, documents: readonly Document[]): void {
  for (const { key, bytes } of documents) writeBytes(folder, key, bytes)
}

function copyFiles(folder: string, record: ReleaseRecord, distFolder: string): void {
  for (const { kind, name, digest } of record.components.flatMap(component => component.artifacts)) {
    const source = path.join(distFolder, record.version, name)
    const isImage = kind === 'oci'
    const key = isImage ? ociBlobKey(record.name, digest) : poolKey(record.name, record.version, name)
    writeBytes(folder, key, fs.readFileSync(isImage ? path.join(source, 'blobs', 'sha256', hexOf(digest)) : source))
  }
  const { provenance } = evidenceOf(record, distFolder)
  if (provenance === undefined) return
  writeBytes(folder, poolKey(record.name, record.version, provenance.name), provenance.envelope)
}

function writeBytes(folder: string, key: string, bytes: Buffer): void {
  const file = path.join(folder, key)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, bytes)
}
