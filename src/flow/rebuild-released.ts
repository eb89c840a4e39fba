import fs from 'node:fs'
import path from 'node:path'
import type { DamagedFile } from '../comparison/artifact.ts'
import type { ReleasedFiles } from '../comparison/release.ts'
import { done, type Outcome } from '../core/outcome.ts'
import { known } from '../core/step.ts'
import { toolVersion } from '../core/tool.ts'
import { fileDigest } from '../envelope/input.ts'
import { codecOf } from '../payload/codec.ts'
import { parseManifest } from '../payload/manifest.ts'
import type { Artifact, ReleaseRecord } from '../payload/release-record.ts'
import { filesOf, readCutRecord } from '../repository/dist.ts'
import { ociFolder, poolKey } from '../trust/layout.ts'
import type { RebuildState } from './rebuild-state.ts'
import type { VerifyState } from './repository-verify.ts'

/** Say where a verification has put the files of a release. */
export function verifiedFiles({ scratch, record }: VerifyState): ReleasedFiles {
  const { name, version } = known(record)
  const placeOf = (artifact: Artifact) =>
    path.join(scratch, artifact.kind === 'oci' ? ociFolder(name) : poolKey(name, version, artifact.name))
  return { record: known(record), placeOf, damaged: new Map() }
}

/**
 * Read a release in `dist`, digesting every file: one that was changed is told with the other differences.
 *
 * Errors: RELEASE_NOT_CUT, RELEASE_DAMAGED (the record itself), DOCUMENT_NEWER.
 */
export function readReleased(state: RebuildState): Outcome<string> {
  const { distFolder, version } = state.options
  const folder = path.join(known(distFolder), version)
  const record = readCutRecord(known(distFolder), version)
  const damaged = new Map<string, readonly DamagedFile[]>()
  for (const { name, artifacts } of record.components) {
    for (const artifact of artifacts) {
      state.tools.signal.throwIfAborted()
      const files = damagedFiles(folder, { ...record, components: [{ name, artifacts: [artifact] }] }, artifact)
      if (files.length > 0) damaged.set(artifact.name, files)
    }
  }
  state.released = { record, placeOf: artifact => path.join(folder, artifact.name), damaged }
  const condition = damaged.size === 0 ? 'as its record says' : `${damaged.size} artifacts are not what the record says`
  return done(`${record.name} ${record.version}, ${condition}`)
}

/**
 * Look whether the tools at hand are those that made the release: what differs here explains what differs afterwards.
 *
 * Post: each tool that differs was told as a warning.
 */
export function compareTools(state: RebuildState): Outcome<string> {
  const { record } = known(state.released)
  const { digest } = known(state.prepared).loaded
  const differ = (tool: string, message: string) => {
    state.missingTools.push(tool)
    state.tools.emit({ kind: 'warning', code: 'REBUILD_TOOLS', message })
  }
  if (record.toolVersion !== toolVersion)
    differ(
      `Cutover ${record.toolVersion}`,
      `the release was cut by Cutover ${record.toolVersion}, this is ${toolVersion}`,
    )
  if (record.recipeDigest !== digest)
    differ(
      `the recipe ${record.recipeDigest}`,
      `the release was cut with the recipe ${record.recipeDigest}, this one is ${digest}; name another with --recipe`,
    )
  const encoders = releasedEncoders(known(state.released))
  for (const [released, here] of encoders) {
    if (released !== here)
      differ(
        released,
        `the release was compressed by ${released}, this is ${here}: compressed bytes will differ where files do not`,
      )
  }
  const found = [`Cutover ${record.toolVersion}`, ...encoders.keys()]
  return done(
    state.missingTools.length === 0 ? `${found.join(', ')}, as here` : `not here: ${state.missingTools.join(', ')}`,
  )
}

/** The encoders of the payloads, with what this process has in their place. */
function releasedEncoders({ record, placeOf, damaged }: ReleasedFiles): ReadonlyMap<string, string> {
  const manifests = record.components
    .flatMap(component => component.artifacts)
    .filter(({ kind, name }) => kind === 'manifest' && !damaged.has(name))
    .map(artifact => parseManifest(fs.readFileSync(placeOf(artifact))))
  return new Map(manifests.map(({ codec }) => [codec.encoder, codecOf(codec.name, codec.level).encoder]))
}

/** The layer of an image that is another artifact is looked at there. */
function damagedFiles(folder: string, record: ReleaseRecord, { name: artifact }: Artifact): readonly DamagedFile[] {
  return filesOf(record).flatMap(({ path: name, digest: expected }) => {
    if (name !== artifact && !name.startsWith(`${artifact}/`)) return []
    const file = path.join(folder, name)
    const found = fs.existsSync(file) ? fileDigest(file) : undefined
    return found === expected ? [] : [{ file, expected, found }]
  })
}
