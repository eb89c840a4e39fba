import fs from 'node:fs'
import path from 'node:path'
import { commandText, runCommands } from '../build/commands.ts'
import { pinnedEnvironment } from '../build/environment.ts'
import { assertDisjoint, type PackageFiles } from '../build/overlap.ts'
import { assertUnchanged, collectPython } from '../build/python.ts'
import type { Digest } from '../core/digest.ts'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { known } from '../core/step.ts'
import { proveEnvelope } from '../envelope/prove.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { parseReleaseRecord, type ReleaseRecord } from '../payload/release-record.ts'
import type { RecipeCommand } from '../recipe/schema.ts'
import { makeDeb } from './cut-deb.ts'
import { makeImage } from './cut-image.ts'
import { type CutState, packedApplication } from './cut-state.ts'

/** Run the tests of the recipe in a checkout of their own. Errors: BUILD_COMMAND, EXEC_TIMEOUT, EXEC_NOT_FOUND. */
export async function runTests(state: CutState): Promise<Outcome<string>> {
  const { tests } = known(state.prepared).loaded.recipe
  if (tests.length === 0) return skipped('CUT_NO_TESTS', 'the recipe names no tests')
  await runRecipeCommands(state, tests, { step: 'tests', checkout: known(state.workspace).testCheckout })
  return done(tests.map(commandText).join(', '))
}

/** Run the build of the recipe. Errors: those of {@link runTests}. */
export async function runBuild(state: CutState): Promise<Outcome<string>> {
  const { build } = known(state.prepared).loaded.recipe
  if (build.length === 0) return skipped('CUT_NO_BUILD', 'the recipe names nothing to build')
  await runRecipeCommands(state, build, { step: 'build', checkout: known(state.workspace).buildCheckout })
  return done(build.map(commandText).join(', '))
}

/** Wrap the payload as the recipe asks for. */
export async function makeEnvelopes(state: CutState): Promise<Outcome<string>> {
  const made: string[] = []
  for (const packed of known(state.packed)) {
    const { deb, oci } = packed.component
    const artifacts = [
      ...(deb === undefined ? [] : [await makeDeb(state, packed, deb)]),
      ...(oci === undefined ? [] : [await makeImage(state, packed, oci)]),
    ]
    packed.artifacts.push(...artifacts)
    made.push(...artifacts.map(artifact => artifact.name))
  }
  if (made.length === 0) return skipped('CUT_NO_ENVELOPES', 'the recipe asks for tarballs alone')
  return done(made.join(', '))
}

/** Put the Python distributions that the build made beside the release. Errors: BUILD_PYTHON. */
export async function collectDistributions(state: CutState): Promise<Outcome<string>> {
  const { python } = known(state.prepared).loaded.recipe.artifacts
  if (python.length === 0) return skipped('CUT_NO_PYTHON', 'the recipe names no Python distributions')
  const files = await collectPython(known(state.workspace).buildCheckout, python, known(state.output).partial)
  // Found out now rather than by the upload, when the tag is made.
  const earlier = previousRecord(state)
  if (earlier !== undefined) {
    const artifacts = earlier.components.flatMap(component => component.artifacts)
    assertUnchanged(files, { version: earlier.version, files: artifacts.filter(({ kind }) => kind === 'python') })
  }
  packedApplication(state).artifacts.push(...files.map(file => ({ kind: 'python' as const, ...file })))
  return done(files.map(file => file.name).join(', '))
}

/** The record of the release before, when it was cut here; a snapshot replaces nothing. */
function previousRecord(state: CutState): ReleaseRecord | undefined {
  const { previous, tag } = known(state.prepared).wanted
  const file = path.join(state.dist, previous ?? '', 'release.json')
  return previous === undefined || tag === undefined || !fs.existsSync(file)
    ? undefined
    : parseReleaseRecord(fs.readFileSync(file))
}

/**
 * Read each envelope as its readers will: dpkg, aptly and reprepro publish packages that dpkg cannot unpack.
 *
 * Errors: ENVELOPE_MISMATCH and others of `proveEnvelope`; BUILD_OVERLAP.
 */
export async function readBack(state: CutState): Promise<Outcome<string>> {
  const counts: string[] = []
  const packages: PackageFiles[] = []
  for (const { artifacts, manifest } of known(state.packed)) {
    const envelopes = artifacts.filter(({ kind }) => kind === 'tarball' || kind === 'deb' || kind === 'oci')
    const proven = new Set<Digest>()
    for (const artifact of envelopes) {
      const { added } = await proveEnvelope(path.join(known(state.output).partial, artifact.name), manifest, proven)
      // The layer of the image is the tarball.
      if (artifact.kind === 'tarball') proven.add(artifact.digest)
      if (artifact.kind === 'deb') packages.push({ package: artifact.package, files: installedFiles(manifest, added) })
    }
    counts.push(`${envelopes.length} envelopes hold the same ${manifest.files.length} entries`)
  }
  assertDisjoint(packages)
  return done(counts.join('; '))
}

/** `added` are members of a package's tar, such as `./etc/notes.conf`; folders may be shared and end in a slash. */
function installedFiles({ root, files }: PayloadManifest, added: readonly string[]): readonly string[] {
  return [
    ...files.flatMap(({ type, path: name }) => (type === 'directory' ? [] : [`/${root}/${name}`])),
    ...added.flatMap(name => (name.endsWith('/') ? [] : [name.slice(1)])),
  ]
}

async function runRecipeCommands(
  state: CutState,
  commands: readonly RecipeCommand[],
  at: { readonly step: string; readonly checkout: string },
): Promise<void> {
  const { facts, wanted } = known(state.prepared)
  const { home, temporary } = known(state.workspace)
  const environment = pinnedEnvironment({
    sourceDateEpoch: facts.head.timeSeconds,
    home,
    temporary,
    interpreterFolder: path.dirname(process.execPath),
    inherited: state.options.environment,
  })
  await runCommands(commands, {
    checkout: at.checkout,
    environment: { ...environment, CUTOVER_VERSION: wanted.version },
    signal: state.tools.signal,
    onLine: (stream, line) => state.tools.emit({ kind: 'output', step: at.step, stream, line }),
  })
}
