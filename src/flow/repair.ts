import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { openLocalRelease } from '../prefix/local-release.ts'
import { type MendReport, mendDocuments, mendRelease, removeMending } from '../prefix/mend.ts'
import { isUsable } from '../prefix/state.ts'
import type { CheckedRelease } from '../prefix/verify-release.ts'
import type { LockedPrefix } from './locked-prefix.ts'
import type { Resolver } from './resolve.ts'
import type { ResolvedRelease } from './resolved-release.ts'
import type { FlowTools } from './tools.ts'

/** What a repair of one release came to. */
export type RepairReport = MendReport

/** Mends releases of a prefix that is locked. */
export interface Repair {
  /**
   * Put back what of a release differs from what was signed. `check` looks at it again, once the documents are those that were signed.
   *
   * Errors: RELEASE_CHANGED (the repository has another record), TRUST_*, SEGMENT_*, HTTP_FAILED, FILE_IO, FILE_NO_SPACE.
   */
  readonly mend: (found: CheckedRelease, check: () => Promise<CheckedRelease>) => Promise<RepairReport>
}

/** What decides about a repair. */
export interface RepairOptions {
  readonly offline?: boolean | undefined
  readonly removeExtra?: boolean | undefined
  /** Asked once something has to be fetched. */
  readonly resolver: Resolver
}

/** Begin to mend. Pre: nothing of the prefix is unfinished. */
export function openRepair(prefix: LockedPrefix, options: RepairOptions, tools: FlowTools): Repair {
  removeMending(prefix.paths)
  const stamp = new Date(tools.clock.nowMs()).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  return { mend: (found, check) => new ReleaseRepair({ prefix, options, tools, stamp }, found).run(check) }
}

/** Tell whether nothing of a release differs. */
export function isWhole({ differences }: CheckedRelease): boolean {
  return differences.length === 0
}

const nothingMended = { sharedFiles: 0, fetchedFiles: 0, fetchedBytes: 0, quarantined: [] } as const

interface RepairContext {
  readonly prefix: LockedPrefix
  readonly options: RepairOptions
  readonly tools: FlowTools
  readonly stamp: string
}

class ReleaseRepair {
  readonly #context: RepairContext
  readonly #found: CheckedRelease
  #resolved: Promise<ResolvedRelease> | undefined

  constructor(context: RepairContext, found: CheckedRelease) {
    this.#context = context
    this.#found = found
  }

  async run(check: () => Promise<CheckedRelease>): Promise<RepairReport> {
    const { prefix, options, tools, stamp } = this.#context
    const mendsDocuments = this.#mendsDocuments()
    if (mendsDocuments) await this.#writeDocuments()
    const found = mendsDocuments ? await check() : this.#found
    const documents = mendsDocuments ? ['.cutover'] : []
    if (found.manifest === undefined) return { mended: documents, ...nothingMended }
    const { version, manifest, differences } = found
    const state = prefix.state()
    const others = [...state.releases.keys()].filter(each => each !== version && isUsable(state, each))
    const report = await mendRelease(prefix.paths, {
      version,
      manifest,
      differences,
      locals: [version, ...others].map(each => openLocalRelease(prefix.paths, each)),
      source:
        options.offline === true ? undefined : async () => (await this.#release()).source(manifest, this.#tellFailure),
      removeExtra: options.removeExtra === true,
      stamp,
      signal: tools.signal,
    })
    return { ...report, mended: [...documents, ...report.mended] }
  }

  /** Whether something is wrong with the documents, and can be put right: the recipe follows from the manifest, the others are fetched. */
  #mendsDocuments(): boolean {
    const { differences, manifest } = this.#found
    const paths = differences.map(each => each.path)
    const canFetch = this.#context.options.offline !== true
    if (manifest === undefined) return canFetch
    return canFetch && paths.some(each => /^\.cutover(\/(release\.json|manifest|recipe\.json))?$/.test(each))
  }

  async #writeDocuments(): Promise<void> {
    const { recordBytes, manifest } = await this.#release()
    const { version } = this.#found
    mendDocuments(this.#context.prefix.paths, version, { recordBytes, ...(await manifest()) })
  }

  /** The release as the repository has it, which must be the one that was installed. */
  #release(): Promise<ResolvedRelease> {
    this.#resolved ??= this.#resolve()
    return this.#resolved
  }

  async #resolve(): Promise<ResolvedRelease> {
    const { prefix, options } = this.#context
    const { version } = this.#found
    const { application, repository } = prefix.identity
    const resolved = await options.resolver.release(application, version)
    const expected = prefix.state().releases.get(version)!.recordDigest
    const found = digestOf(resolved.recordBytes)
    if (found === expected) return resolved
    const message = `${repository} has the record ${found} of ${application} ${version}, expected ${expected} as it was installed`
    throw new ReleaseError('RELEASE_CHANGED', message, { details: { version, found, expected } })
  }

  readonly #tellFailure = (place: string, error: ReleaseError): void => {
    const message = `${place} is given up: ${error.message}`
    this.#context.tools.emit({ kind: 'warning', code: error.code, message })
  }
}
