import path from 'node:path'
import { commandText } from '../build/commands.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import { done, type Outcome } from '../core/outcome.ts'
import { known } from '../core/step.ts'
import { addReferrer } from '../envelope/oci-referrer.ts'
import { statementType } from '../evidence/dsse.ts'
import { createProvenance, type Material } from '../evidence/provenance.ts'
import { countText } from '../evidence/sbom-summary.ts'
import type { Artifact } from '../payload/release-record.ts'
import { readFile, writeFileAtomic } from '../sys/files.ts'
import { describeBase } from './base-evidence.ts'
import { artifactsOf, type CutState, type PackedComponent, packedApplication } from './cut-state.ts'

/** Files that pin what a build fetches, by the names that their tools give them. */
const lockFileName =
  /(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|uv\.lock|poetry\.lock|pdm\.lock|Pipfile\.lock|requirements[^/]*\.txt|Cargo\.lock|go\.sum|Gemfile\.lock|composer\.lock|[^/]+\.lock\.json)$/

/** Write the SBOM of every component. Errors: PAYLOAD_CHANGED. */
export async function makeSboms(state: CutState): Promise<Outcome<string>> {
  const made: string[] = []
  for (const packed of known(state.packed)) made.push(await makeSbom(state, packed))
  return done(made.join('; '))
}

async function makeSbom(state: CutState, packed: PackedComponent): Promise<string> {
  // The library takes a while to load, and most commands need none of it.
  const { createSbom, sbomType, takeInventory } = await import('../evidence/sbom.ts')
  const { component, tree, manifest, artifacts, base } = packed
  const { name, version } = manifest
  const { licence, maintainer, homepage } = known(state.prepared).loaded.recipe
  const application = { name, version, licence, maintainer, homepage }
  const inventory = await takeInventory({ tree, checkoutFolder: known(state.workspace).buildCheckout })
  const baseImages = base === undefined ? [] : await describeBase(base)
  const sbom = createSbom({ inventory, manifest, application, baseImages })
  for (const problem of sbom.problems) {
    const message = `${problem.path} ${problem.reason}; it is passed over in the SBOM of ${component.name}`
    state.tools.emit({ kind: 'warning', code: 'SBOM_PASSED_OVER', message })
  }
  artifacts.push(write(state, { kind: 'sbom', name: `${name}-${version}.cdx.json`, mediaType: sbomType }, sbom.bytes))
  referToImages(state, packed, { artifactType: sbomType, mediaType: sbomType, bytes: sbom.bytes })
  return `${component.isApplication ? '' : `${name}: `}${countText(sbom)}`
}

/** Let what is said of a component be found from its image, too. */
function referToImages(state: CutState, { artifacts }: PackedComponent, said: Parameters<typeof addReferrer>[2]): void {
  const folder = known(state.output).partial
  for (const [at, artifact] of artifacts.entries()) {
    if (artifact.kind === 'oci') artifacts[at] = addReferrer(path.join(folder, artifact.name), artifact, said)
  }
}

/** Say how the release was made, when everything but its record is. It is signed by the upload: builds run near this. */
export function makeProvenance(state: CutState): Outcome<string> {
  const { loaded, facts, wanted } = known(state.prepared)
  const { recipe, digest: recipeDigest } = loaded
  const materials = [...lockFiles(state), ...baseImages(state), ...deltaSources(artifactsOf(state))]
  const bytes = createProvenance({
    name: recipe.name,
    version: wanted.version,
    commit: facts.head.commit,
    tree: known(state.sources).tree,
    tag: wanted.tag,
    recipeDigest,
    repositoryUrl: recipe.source.repository,
    sourceDateEpoch: facts.head.timeSeconds,
    commands: { tests: recipe.tests.map(commandText), build: recipe.build.map(commandText) },
    encoders: [...new Set(known(state.packed).map(({ manifest }) => manifest.codec.encoder))],
    materials,
    artifacts: artifactsOf(state),
  })
  const name = `${recipe.name}-${wanted.version}.provenance.json`
  packedApplication(state).artifacts.push(write(state, { kind: 'provenance', name, mediaType: statementType }, bytes))
  return done(`${artifactsOf(state).length - 1} subjects, ${materials.length + 1} materials`)
}

function lockFiles(state: CutState): readonly Material[] {
  const { buildCheckout } = known(state.workspace)
  return known(state.sources)
    .files.filter(({ path: name, mode }) => mode !== '120000' && lockFileName.test(name))
    .map(({ path: name }) => ({ name, digest: digestOf(readFile(path.join(buildCheckout, name))) }))
}

/** As they were locked: what the name in the recipe stands for. */
function baseImages(state: CutState): readonly Material[] {
  const bases = known(state.packed).flatMap(({ base }) => (base === undefined ? [] : [base]))
  return [...new Map(bases.map(({ name, digest }) => [digest, { name, digest }])).values()]
}

/** The manifests of the releases that the deltas of this one start from. */
function deltaSources(artifacts: readonly Artifact[]): readonly Material[] {
  const sources = new Map<Digest, Material>()
  for (const artifact of artifacts) {
    if (artifact.kind !== 'delta') continue
    const { from, fromManifest: digest } = artifact
    sources.set(digest, { name: `manifest of ${from}`, digest })
  }
  return [...sources.values()]
}

function write(
  state: CutState,
  artifact: { readonly kind: 'sbom' | 'provenance'; readonly name: string; readonly mediaType: string },
  bytes: Buffer,
): Artifact {
  writeFileAtomic(path.join(known(state.output).partial, artifact.name), bytes, { durable: false })
  return { ...artifact, sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
}
