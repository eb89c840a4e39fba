import { digestOf } from '../../src/core/digest.ts'
import type { WantedArtifact } from '../../src/mirror/mirror.ts'
import type { Artifact, ReleaseRecord } from '../../src/payload/release-record.ts'

/** A record of `app` 1.0.0 with these artifacts, for what looks for files of a release. */
export function recordOf(artifacts: readonly Artifact[], tag?: string): ReleaseRecord {
  return {
    schema: 1,
    name: 'app',
    version: '1.0.0',
    summary: 'An app',
    licence: 'Apache-2.0',
    maintainer: 'Ada <ada@example.org>',
    commit: 'c'.repeat(40),
    tree: 'd'.repeat(40),
    ...(tag === undefined ? {} : { tag }),
    sourceDateEpoch: 0,
    toolVersion: '0.1.0',
    recipeDigest: digestOf('recipe'),
    changes: '',
    components: [{ name: 'app', artifacts }],
  }
}

/** An artifact of a release that has nothing else but `siblings`. */
export function wantedOf(artifact: Artifact, siblings: readonly Artifact[] = [], tag?: string): WantedArtifact {
  return { record: recordOf([artifact, ...siblings], tag), component: 'app', artifact }
}

/** A manifest of these bytes. */
export function manifestOf(bytes: Uint8Array): Artifact {
  return {
    kind: 'manifest',
    name: 'app-1.0.0.manifest.zst',
    mediaType: 'application/zstd',
    sizeBytes: bytes.byteLength,
    digest: digestOf(bytes),
  }
}
