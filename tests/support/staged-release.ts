import fs from 'node:fs'
import path from 'node:path'
import type { Event } from '../../src/core/event.ts'
import { createDelta } from '../../src/payload/delta/create.ts'
import { manifestBytes } from '../../src/payload/manifest.ts'
import type { SegmentSource } from '../../src/payload/source.ts'
import type { FileChange, OfferedDelta } from '../../src/prefix/file-change.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { openLocalRelease } from '../../src/prefix/local-release.ts'
import { Staging } from '../../src/prefix/staging.ts'
import { parseNodeRecipe } from '../../src/recipe/node.ts'
import { type TestFiles, type TestPayload, testPayload, testTree } from './payload.ts'
import { tempFolder } from './temp.ts'

/** A release that can be staged, and what was told while it was. */
export interface StageableRelease {
  readonly version: string
  readonly payload: TestPayload
}

/** A prefix that releases are staged into without a repository, a journal or a server. */
export interface StagingPrefix {
  readonly paths: PrefixPaths
  readonly events: Event[]
  readonly make: (version: string, files: TestFiles) => Promise<StageableRelease>
  /** A delta pack between two releases, offered from a folder; `harm` is done to it when it is fetched. */
  readonly delta: (
    old: StageableRelease,
    next: StageableRelease,
    harm?: (file: string) => void,
  ) => Promise<OfferedDelta>
  /** Begin to stage a release. `locals` are versions that were staged before. */
  readonly staging: (
    release: StageableRelease,
    from: {
      readonly locals?: readonly string[]
      readonly deltas?: readonly OfferedDelta[]
      readonly source?: SegmentSource
      readonly signal?: AbortSignal
    },
  ) => Staging
  /** Stage it to the end. */
  readonly stage: (
    release: StageableRelease,
    from?: Parameters<StagingPrefix['staging']>[1],
  ) => Promise<{ readonly staging: Staging; readonly source: SegmentSource }>
}

/** Make an empty prefix for {@link StageableRelease}s. */
export function stagingPrefix(): StagingPrefix {
  const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
  const events: Event[] = []
  const staging: StagingPrefix['staging'] = ({ version, payload }, from) => {
    const { manifest } = payload
    const change: FileChange = {
      paths,
      identity: {
        schema: 1,
        layout: 1,
        application: 'app',
        repository: 'file:///nowhere',
        environment: 'production',
        variables: {},
      },
      version,
      from: undefined,
      recipe: () => parseNodeRecipe(manifest.recipe),
      origin: {
        documents: { recordBytes: Buffer.from('{}'), manifestBytes: manifestBytes(manifest), manifest },
        source: from.source ?? payload.source(),
        deltas: from.deltas ?? [],
        locals: (from.locals ?? []).map(local => openLocalRelease(paths, local)),
      },
      emit: event => void events.push(event),
      signal: from.signal ?? new AbortController().signal,
    }
    return new Staging(change)
  }
  return {
    paths,
    events,
    make: async (version, files) => {
      const payload = await testPayload(tempFolder(), testTree(tempFolder(), files))
      return { version, payload }
    },
    delta: async (old, next, harm = () => {}) => {
      const file = path.join(tempFolder(), 'pack')
      const sideOf = ({ payload }: StageableRelease) => ({ manifest: payload.manifest, source: payload.source() })
      const { fromManifest, sizeBytes, digest } = await createDelta({ old: sideOf(old), new: sideOf(next), file })
      return {
        fromVersion: old.version,
        fromManifest,
        sizeBytes,
        digest,
        fetch: async to => {
          fs.copyFileSync(file, to)
          harm(to)
          return sizeBytes
        },
      }
    },
    staging,
    stage: async (release, from = {}) => {
      const source = from.source ?? release.payload.source()
      const staged = staging(release, { ...from, source })
      await staged.begin()
      await staged.fetch()
      await staged.seal()
      return { staging: staged, source }
    },
  }
}
