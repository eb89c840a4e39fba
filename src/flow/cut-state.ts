import type { ReleaseOutput } from '../build/output.ts'
import type { Workspace } from '../build/workspace.ts'
import { known } from '../core/step.ts'
import type { Tree } from '../core/tree.ts'
import type { BaseImage } from '../envelope/oci-base.ts'
import type { TarballArtifact } from '../envelope/tarball.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { Artifact, ReleaseRecord } from '../payload/release-record.ts'
import type { SegmentCachePlace } from '../payload/segment-cache.ts'
import type { RecipeComponent } from '../recipe/components.ts'
import type { LoadedRecipe } from '../recipe/load.ts'
import type { ReleaseEdits } from '../source/edits.ts'
import type { RepositoryFacts, RepositoryPlaces } from '../source/facts.ts'
import type { Git } from '../source/git.ts'
import type { Wanted } from '../source/preflight.ts'
import type { CommittedFile, Scratch } from '../source/scratch.ts'
import type { FlowTools } from './tools.ts'

export interface CutOptions {
  readonly cwd: string
  /** The environment of whoever runs us. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Undefined for a snapshot that names itself. */
  readonly version?: string | undefined
  /** Cut an unpublished version of any branch: nothing is committed and nothing tagged. */
  readonly snapshot: boolean
  /** Make a snapshot that only this machine installs: no more than the payload and its record. */
  readonly local?: boolean | undefined
  /** Check that the release could be cut and show what would be done. */
  readonly dryRun: boolean
  /** A recipe outside of the repository: the file, or a folder that holds it. Absolute. */
  readonly recipe?: string | undefined
  /** The folder of the vendor repository, for deltas from releases that are not in `dist`; that of the clone's configuration when absent. */
  readonly repository?: string | undefined
  /** Where releases are put, absolute; `dist` in the repository when absent. */
  readonly output?: string | undefined
}

/** A component whose payload is packed, with its tarball, from which the other envelopes are made. */
export interface PackedComponent {
  readonly component: RecipeComponent
  /** In the order in which they are made; the first component also has what belongs to the release as a whole. */
  readonly artifacts: Artifact[]
  readonly tree: Tree
  readonly manifest: PayloadManifest
  /** The manifest as it is stored and sent. */
  readonly storedManifest: Buffer
  readonly tarball: TarballArtifact
  readonly md5sums: ReadonlyMap<string, string>
  /** What its image is put on; filled in by envelopes. */
  base?: BaseImage
}

/** What preflight decided: nothing of it changes afterwards. */
export interface PreparedCut {
  readonly loaded: LoadedRecipe
  readonly facts: Pick<RepositoryFacts, 'head'>
  readonly wanted: Wanted
  /** Markdown: what changed since the release before, from the commits. */
  readonly changes: string
  /** The versions that delta packs are made from, nearest first, by component. */
  readonly deltaBases: ReadonlyMap<string, readonly string[]>
}

/** The sources of the release, with version files and changelog set. */
export interface ReleaseSources extends ReleaseEdits {
  readonly tree: string
  readonly files: readonly CommittedFile[]
}

/**
 * What the steps that make a release hand on, whether it is cut or built again (rebuild.ts). Optional members are filled in by the step
 * that is named.
 */
export interface CutState {
  readonly options: Pick<CutOptions, 'environment' | 'repository' | 'local'> & {
    /** An address of the vendor repository, which goes before its folder. */
    readonly url?: string | undefined
  }
  readonly tools: FlowTools
  readonly git: Git
  readonly places: RepositoryPlaces
  readonly dist: string
  /** Where compressed segments are kept from one cut to the next; a rebuild compresses everything itself. */
  readonly segmentCache?: SegmentCachePlace | undefined
  /** Artifacts of the release as a whole that are made before its payloads. */
  readonly early: Artifact[]
  /** preflight */
  prepared?: PreparedCut
  /** checkout */
  workspace?: Workspace
  scratch?: Scratch
  output?: ReleaseOutput
  /** version */
  sources?: ReleaseSources
  /** payload */
  packed?: readonly PackedComponent[]
  /** record */
  record?: ReleaseRecord
}

/** What only a cut knows: who asked for it, and how. */
export interface RequestedCut extends CutState {
  readonly options: CutOptions
}

/** The component that is installed and run, with the artifacts of the release as a whole. */
export function packedApplication(state: CutState): PackedComponent {
  return known(known(state.packed)[0])
}

/** Every artifact that was made so far, by component. */
export function artifactsOf(state: CutState): readonly Artifact[] {
  return known(state.packed).flatMap(({ artifacts }) => artifacts)
}

/** The environment that packages are made for and a rehearsal runs in: the recipe's choice, else its first. */
export function mainEnvironment({ loaded }: Pick<PreparedCut, 'loaded'>): string {
  const { rehearsal, environments } = loaded.recipe
  return rehearsal.environment ?? known(Object.keys(environments)[0])
}
