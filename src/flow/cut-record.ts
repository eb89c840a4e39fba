import path from 'node:path'
import { digestOf, hexOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { compareBytes } from '../core/relative-path.ts'
import { known } from '../core/step.ts'
import { toolVersion } from '../core/tool.ts'
import { type Artifact, type ReleaseRecord, recordBytes } from '../payload/release-record.ts'
import { writeFileAtomic } from '../sys/files.ts'
import { artifactsOf, type CutState } from './cut-state.ts'

/**
 * Write what was made: `release.json`, and `SHA256SUMS` for people.
 *
 * Post: both depend on the commit, the recipe, the version and the tool's version alone. Errors: BUILD_ARTIFACT_REPEATED.
 */
export function writeRecord(state: CutState): ReleaseRecord {
  const { loaded, facts, wanted } = known(state.prepared)
  const { recipe, digest: recipeDigest } = loaded
  const { changes, tree } = known(state.sources)
  const artifacts = artifactsOf(state)
  assertUnique(artifacts)
  const record: ReleaseRecord = {
    schema: 1,
    name: recipe.name,
    version: wanted.version,
    summary: recipe.summary,
    licence: recipe.licence,
    maintainer: recipe.maintainer,
    ...(recipe.homepage === undefined ? {} : { homepage: recipe.homepage }),
    commit: facts.head.commit,
    tree,
    ...(wanted.tag === undefined ? {} : { tag: wanted.tag }),
    ...(state.options.local === true ? { builtHere: true } : {}),
    sourceDateEpoch: facts.head.timeSeconds,
    toolVersion,
    recipeDigest,
    ...(wanted.previous === undefined ? {} : { previous: wanted.previous }),
    changes,
    components: known(state.packed).map(({ component, artifacts }) => ({ name: component.name, artifacts })),
  }
  const bytes = recordBytes(record)
  const folder = known(state.output).partial
  writeFileAtomic(path.join(folder, 'release.json'), bytes, { durable: false })
  writeFileAtomic(path.join(folder, 'SHA256SUMS'), checksums(artifacts, bytes), { durable: false })
  return record
}

/** Shape: as `sha256sum` writes and checks it; of an image its index, whose bytes name all others. */
function checksums(artifacts: readonly Artifact[], record: Buffer): string {
  const files = artifacts.map(({ kind, name, digest }) => ({
    name: kind === 'oci' ? `${name}/blobs/sha256/${hexOf(digest)}` : name,
    digest,
  }))
  const lines = [...files, { name: 'release.json', digest: digestOf(record) }]
    .toSorted((a, b) => compareBytes(a.name, b.name))
    .map(({ name, digest }) => `${hexOf(digest)}  ${name}\n`)
  return lines.join('')
}

function assertUnique(artifacts: readonly Artifact[]): void {
  const names = artifacts.map(artifact => artifact.name)
  const repeated = names.find((name, index) => names.indexOf(name) < index)
  if (repeated === undefined) return
  throw new ReleaseError('BUILD_ARTIFACT_REPEATED', `two artifacts of the release would be named ${repeated}`, {
    details: { name: repeated },
  })
}
