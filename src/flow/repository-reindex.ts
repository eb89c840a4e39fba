import { ReleaseError } from '../core/error.ts'
import { formatBytes } from '../core/quantity.ts'
import type { RepositoryChange } from '../repository/change.ts'
import type { Publication, PublishOp } from '../repository/plan.ts'
import { opsOf } from '../repository/publish.ts'
import { filesOfPublished, type SignedFile } from '../repository/removal.ts'
import { applicationsOf, type RepositoryView, readRecord } from '../repository/state.ts'
import type { TargetWriter } from '../repository/target.ts'
import { timestampKey } from '../repository/tuf/state.ts'
import { eachInParallel } from '../sys/parallel.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher, type PublisherOptions } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What to make anew. */
export interface ReindexOptions extends PublisherOptions {
  /** Compare only. */
  readonly checkOnly: boolean
}

/** A file that is not what was signed. */
export interface Damage {
  readonly key: string
  readonly expected: string
  /** Absent when it is missing. */
  readonly found?: string
}

/** What was compared, and what was made anew. */
export interface ReindexResult {
  readonly releases: number
  readonly files: number
  readonly sizeBytes: number
  /** Indexes and pages that were not what the records make of them. */
  readonly outdated: readonly string[]
}

/**
 * Make every index and page anew from the signed records, after every file that these name was digested.
 *
 * Post: a repository with damaged files is left as it is. Errors: REPOSITORY_DAMAGED with the keys of all damaged files in `details.damaged`, those of
 * publishing.
 */
export async function reindexRepository(options: ReindexOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  tools.emit({ kind: 'run-started', command: 'reindex', subject: '', steps: [] })
  const publisher = await openPublisher(options, await findClone(options, tools))
  const checking = new Checking(publisher.target, tools)
  const edit = async (view: RepositoryView): Promise<RepositoryChange> => {
    await checking.checkAll(view)
    return { indexes: new Map(), rebuild: true }
  }
  const { publication } = await publishChange(
    { publisher, command: 'release reindex', edit, planOnly: options.checkOnly },
    tools,
  )
  if (publication === undefined) throw new Error('making everything anew is always something to do')
  const outdated = outdatedKeys(publication)
  const { releases, files, sizeBytes } = checking
  const what = `${releases} releases, ${files} files, ${formatBytes(sizeBytes)} are what was signed`
  const indexes = outdated.length === 0 ? 'every index says so' : `indexes that did not say so: ${outdated.length}`
  tools.emit({
    kind: 'run-done',
    command: 'reindex',
    changed: !options.checkOnly,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${what}; ${indexes}`,
    result: { releases, files, sizeBytes, outdated } satisfies ReindexResult,
  })
}

/** Digests every file that signed records name, once however often others publish meanwhile. */
class Checking {
  readonly #target: TargetWriter
  readonly #tools: FlowTools
  readonly #sound = new Set<string>()
  releases = 0
  files = 0
  sizeBytes = 0

  constructor(target: TargetWriter, tools: FlowTools) {
    this.#target = target
    this.#tools = tools
  }

  async checkAll(view: RepositoryView): Promise<void> {
    this.releases = 0
    const damage: Damage[] = []
    for (const application of applicationsOf(view)) {
      const { releases } = await view.index(application)
      this.releases += releases.length
      const { parallelism } = this.#target
      await eachInParallel(releases, { parallelism, stop: () => {} }, async listed => {
        const record = await readRecord(view.target, application, listed)
        for (const file of filesOfPublished({ record, listed })) damage.push(...(await this.#check(file)))
      })
    }
    if (damage.length > 0) throw damaged(this.#target.name, damage, this.#tools)
  }

  async #check(file: SignedFile): Promise<readonly Damage[]> {
    const { key, digest: expected, sizeBytes } = file
    const name = `${key} ${expected}`
    if (this.#sound.has(name)) return []
    this.#tools.signal.throwIfAborted()
    const found = (await this.#target.head(key))?.digest
    if (found !== expected) return [{ key, expected, ...(found === undefined ? {} : { found }) }]
    this.#sound.add(name)
    this.files += 1
    this.sizeBytes += sizeBytes
    const progress = { what: key, unit: 'files', done: this.files } as const
    this.#tools.emit({ kind: 'progress', step: 'compare the files', ...progress })
    return []
  }
}

/** Pointers that say something else than what is there; what has a date or a signature always does. */
function outdatedKeys(publication: Publication): readonly string[] {
  const isDated = ({ key }: PublishOp) =>
    key === timestampKey || /^dists\/.*\/(InRelease|Release|Release\.gpg)$/.test(key)
  return opsOf(publication, 'pointer')
    .filter(op => !isDated(op) && op.replaces !== op.digest)
    .map(({ key }) => key)
}

function damaged(place: string, damage: readonly Damage[], { emit }: FlowTools): ReleaseError {
  emit({
    kind: 'table',
    title: `Damaged files of ${place}`,
    columns: ['File', 'Found', 'Expected'],
    rows: damage.map(({ key, found = 'missing', expected }) => [key, found, expected]),
  })
  const [first] = damage
  const others = damage.length === 1 ? '' : `, and ${damage.length - 1} others`
  return new ReleaseError(
    'REPOSITORY_DAMAGED',
    `${first?.key} is ${first?.found ?? 'missing'} in ${place}, expected ${first?.expected}${others}`,
    {
      hint: 'put the files back from a mirror, or from the dist folder that they were published from; then run it again',
      details: { path: place, damaged: damage.map(({ key }) => key) },
    },
  )
}
