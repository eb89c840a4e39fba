import { stableJson } from '../core/canonical-json.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import {
  channelTarget,
  indexTarget,
  type ReleaseIndex,
  type RepositoryDescription,
  recordKey,
  repositoryFile,
  rootKey,
  targetKey,
} from '../trust/layout.ts'
import { renderSources } from './apt/sources.ts'
import { channelDocument } from './channels.ts'
import { descriptionBytes } from './description.ts'
import { type Document, immutable, pointer } from './document.ts'
import type { Ledger } from './ledger.ts'
import { renderLayout } from './oci/layout.ts'
import { renderApplication } from './pages/application.ts'
import { renderEntrance } from './pages/entrance.ts'
import { sourcesKey } from './pages/keys.ts'
import { renderProjectList, renderProjects } from './python/simple.ts'
import type { NewTarget } from './tuf/metadata.ts'
import { metadataKey } from './tuf/state.ts'

const jsonType = 'application/json'

/** A target of TUF with its bytes. */
export interface TargetDocument {
  readonly target: NewTarget
  readonly document: Document
}

/** Render what an application's role signs for: the list of its releases, and what each channel offers. */
export function applicationTargets(index: ReleaseIndex, channels: readonly string[]): readonly TargetDocument[] {
  const defaultChannel = channels.at(-1)
  // Also those that have nothing: whoever asks for one learns that it is empty, not that there is none.
  const named = { ...Object.fromEntries(channels.map(channel => [channel, []])), ...index.channels }
  const complete = { ...index, channels: named, ...(defaultChannel === undefined ? {} : { defaultChannel }) }
  return [
    targetDocument(indexTarget(index.application), Buffer.from(stableJson(complete))),
    ...channels.map(channel =>
      targetDocument(
        channelTarget(index.application, channel),
        Buffer.from(stableJson(channelDocument(index, channel))),
      ),
    ),
  ]
}

/** Render what a repository says of itself as a target. */
export function descriptionTarget(description: RepositoryDescription): TargetDocument {
  return targetDocument(repositoryFile, descriptionBytes(description))
}

function targetDocument(path: string, bytes: Buffer): TargetDocument {
  const digest: Digest = digestOf(bytes)
  return {
    target: { path, sizeBytes: bytes.byteLength, digest },
    document: immutable('metadata', targetKey(path, digest), bytes, jsonType),
  }
}

/** Store a release's record, in the bytes that `cut` wrote. */
export function recordDocument(record: ReleaseRecord, bytes: Buffer): Document {
  return immutable('metadata', recordKey(record.name, record.version, digestOf(bytes)), bytes, jsonType)
}

/** Render the page that lists an application's releases. It has one from its first release on, and keeps it. */
export function renderListing(
  description: RepositoryDescription,
  index: ReleaseIndex,
  ledger: Ledger,
  rootFingerprint: Digest,
): readonly Document[] {
  const summary = ledger.applications[index.application]
  return summary === undefined ? [] : [renderApplication(description, index, { summary, rootFingerprint })]
}

/** Render the files of an application that clients of registries and of Python read. Which there are depends on its releases. */
export function renderClientFiles(index: ReleaseIndex, ledger: Ledger): readonly Document[] {
  return [...renderLayout(index), ...renderProjects(index, ledger.applications[index.application]?.projects)]
}

/** Render the files that list all applications. */
export function renderFront(
  description: RepositoryDescription,
  ledger: Ledger,
  rootFingerprint: Digest,
): readonly Document[] {
  return [...renderProjectList(ledger), renderEntrance(description, ledger, rootFingerprint)]
}

/** Render the files that change only with the settings of a repository. */
export function renderFoundation(description: RepositoryDescription, ledger: Ledger): readonly Document[] {
  const applications = Object.keys(ledger.applications).toSorted()
  const sources = (channel: string) =>
    description.apt.components === 'repository'
      ? [pointer(sourcesKey(channel), renderSources(description, channel, ['main']), 'text/plain')]
      : applications.map(name =>
          pointer(sourcesKey(channel, name), renderSources(description, channel, [name]), 'text/plain'),
        )
  return [
    pointer('apt/key.asc', description.aptKey, 'application/pgp-keys'),
    ...description.channels.flatMap(sources),
    pointer(repositoryFile, descriptionBytes(description), jsonType),
  ]
}

/** Render a root: under its number, and as the one that a new prefix pins. */
export function renderRoot(root: Buffer, version: number): readonly Document[] {
  return [immutable('metadata', metadataKey('root', version), root, jsonType), pointer(rootKey, root, jsonType)]
}

/** Which of `before` are not among `after`: files that have nothing to say any more. */
export function withdrawnKeys(before: readonly Document[], after: readonly Document[]): readonly string[] {
  const keys = new Set(after.map(({ key }) => key))
  return before.map(({ key }) => key).filter(key => !keys.has(key))
}
