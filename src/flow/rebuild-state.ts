import type { ArtifactComparison, ReleasedFiles } from '../comparison/release.ts'
import type { CutState } from './cut-state.ts'
import type { RepositoryVerifyOptions } from './repository-verify.ts'

/** Which release to build again, and what to compare it with. */
export interface RebuildOptions extends RepositoryVerifyOptions {
  /** Compare with `VERSION` in this folder, absolute, rather than with what is published. */
  readonly distFolder?: string | undefined
  /** The recipe when it is outside of the repository: the file, or a folder that holds it. Absolute. */
  readonly recipe?: string | undefined
}

/** What the steps of a rebuild hand on, besides what those of a cut do. */
export interface RebuildState extends CutState {
  readonly options: RebuildOptions
  /** The release as it was published or cut. */
  released?: ReleasedFiles
  /** What the release was made with and is not at hand: such as `zstd 1.5.6`. */
  readonly missingTools: string[]
  /** Artifacts that could not be built and were taken from the release, and why. */
  readonly taken: Map<string, string>
  /** Differences of the sources: tag and tree. */
  readonly sourceComparisons: ArtifactComparison[]
  /** compare */
  comparisons?: readonly ArtifactComparison[]
}
