import path from 'node:path'
import type { Digest } from '../core/digest.ts'
import type { ReleaseRecord } from '../payload/release-record.ts'
import { filesOfPublished, type SignedFile } from '../repository/removal.ts'
import { applicationsOf, type RepositoryView, readRecord } from '../repository/state.ts'
import { DigestThreads } from '../sys/digest-threads.ts'
import { eachInParallel } from '../sys/parallel.ts'
import type { ListedRelease } from '../trust/layout.ts'
import { isFolder, type Publisher } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** A file that is not what was signed. */
export interface Damage {
  readonly key: string
  readonly expected: Digest
  /** Absent when it is missing. */
  readonly found?: Digest
}

/** What was found of the files that signed records name. */
export interface CheckedFiles {
  readonly releases: number
  readonly files: number
  readonly sizeBytes: number
  readonly damage: readonly Damage[]
  /** By digest. */
  readonly records: ReadonlyMap<Digest, ReleaseRecord>
}

/** Tell what is under each key. */
type DigestKeys = (files: readonly SignedFile[]) => Promise<readonly (Digest | undefined)[]>

/** Digest every file that the signed records of a repository name, and the indexes of its dated snapshots. Errors: REPOSITORY_DAMAGED (a record), those of the target. */
export async function checkFiles(view: RepositoryView, publisher: Publisher, tools: FlowTools): Promise<CheckedFiles> {
  const threads = new DigestThreads()
  const digestKeys = isFolder(publisher.place) ? inFolder(publisher.place, threads) : inTarget(publisher)
  const checked = { releases: 0, files: 0, sizeBytes: 0 }
  const records = new Map<Digest, ReleaseRecord>()
  const damage: Damage[] = []
  const check = async (application: string, listed: ListedRelease, total: number) => {
    tools.signal.throwIfAborted()
    const record = await readRecord(view.target, application, listed)
    records.set(listed.record.digest, record)
    const files = filesOfPublished({ record, listed })
    damage.push(...damageOf(files, await digestKeys(files)))
    checked.releases += 1
    checked.files += files.length
    checked.sizeBytes += files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    const what = `${application} ${listed.version}`
    tools.emit({ kind: 'progress', step: 'compare the files', what, unit: 'files', done: checked.releases, total })
  }
  try {
    const dated = view.ledger.snapshots.flatMap(({ files }) => files.map(file => ({ ...file, sizeBytes: 0 })))
    damage.push(...damageOf(dated, await digestKeys(dated)))
    const all = await listAll(view)
    const { parallelism } = publisher.target
    await eachInParallel(all, { parallelism, stop: () => {} }, ([application, listed]) =>
      check(application, listed, all.length),
    )
  } finally {
    await threads.close()
  }
  return { ...checked, records, damage: damage.toSorted((a, b) => (a.key < b.key ? -1 : 1)) }
}

async function listAll(view: RepositoryView): Promise<readonly (readonly [application: string, ListedRelease])[]> {
  const all: (readonly [string, ListedRelease])[] = []
  for (const application of applicationsOf(view)) {
    const { releases } = await view.index(application)
    all.push(...releases.map(listed => [application, listed] as const))
  }
  return all
}

function inFolder(folder: string, threads: DigestThreads): DigestKeys {
  return async files => {
    const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0)
    const found = await threads.digest(
      files.map(({ key }) => path.join(folder, key)),
      sizeBytes,
    )
    return found.map(file => file?.digest)
  }
}

function inTarget({ target }: Publisher): DigestKeys {
  return async files => {
    const found: (Digest | undefined)[] = []
    for (const { key } of files) found.push((await target.head(key))?.digest)
    return found
  }
}

function damageOf(files: readonly SignedFile[], found: readonly (Digest | undefined)[]): readonly Damage[] {
  return files.flatMap(({ key, digest: expected }, at) => {
    const digest = found[at]
    if (digest === expected) return []
    return [{ key, expected, ...(digest === undefined ? {} : { found: digest }) }]
  })
}
