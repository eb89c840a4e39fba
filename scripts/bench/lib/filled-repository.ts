import fs from 'node:fs'
import path from 'node:path'
import { digestOf } from '../../../src/core/digest.ts'
import { publishChange } from '../../../src/flow/publish-change.ts'
import { openPublisher } from '../../../src/flow/publisher.ts'
import { initRepository } from '../../../src/flow/repository-init.ts'
import type { FlowTools } from '../../../src/flow/tools.ts'
import { withListed } from '../../../src/repository/channels.ts'
import { filesOf } from '../../../src/repository/dist.ts'
import { listedRelease } from '../../../src/repository/listing.ts'
import { type AptCompression, type ReleaseIndex, recordKey } from '../../../src/trust/layout.ts'
import { emptyIndex } from '../../../src/trust/release-index.ts'
import { makeTinyRelease } from './tiny-packages.ts'

/** A repository to be filled. */
export interface Filling {
  /** Gets `repository/` and `keys/`. */
  readonly folder: string
  readonly packages: number
  readonly channels: readonly string[]
  readonly compressions: readonly AptCompression[]
}

/** How many applications share the packages, and how many packages a release has. */
const applicationCount = 50
const packagesPerRelease = 100

/**
 * Make a repository with so many packages: 50 applications with releases of 100 packages each, offered in every channel.
 *
 * The files are put in place by hand and all releases listed in one publication: uploading them one by one would take minutes.
 */
export async function fillRepository({ folder, packages, channels, compressions }: Filling): Promise<void> {
  const tools = quietTools()
  const repository = path.join(folder, 'repository')
  const common = {
    cwd: folder,
    environment: { PATH: process.env['PATH'] },
    repository,
    keys: path.join(folder, 'keys'),
  }
  fs.mkdirSync(folder, { recursive: true })
  const names = Array.from({ length: applicationCount }, (_, at) => `application-${String(at).padStart(2, '0')}`)
  await initRepository(
    {
      ...common,
      applications: names,
      settings: before => ({ ...before, channels, apt: { ...before.apt, compressions } }),
    },
    tools,
  )
  const releases = packages / applicationCount / packagesPerRelease
  const indexes = names.map((name, at): [string, ReleaseIndex] => [
    name,
    placeReleases({ repository, name, releases, first: at * releases * packagesPerRelease, channels }),
  ])
  const publisher = await openPublisher(common, undefined)
  await publishChange({ publisher, command: 'fill', edit: async () => ({ indexes: new Map(indexes) }) }, tools)
}

function placeReleases(options: {
  readonly repository: string
  readonly name: string
  readonly releases: number
  readonly first: number
  readonly channels: readonly string[]
}): ReleaseIndex {
  const { repository, name, releases, first, channels } = options
  let index = emptyIndex(name)
  for (let at = 0; at < releases; at += 1) {
    const version = `1.${at}.0`
    const folder = path.join(repository, 'pool', name, version)
    const release = { application: name, version, first: first + at * packagesPerRelease, packages: packagesPerRelease }
    const { record, bytes } = makeTinyRelease(folder, release)
    const misplaced = filesOf(record).find(({ key }) => !fs.existsSync(path.join(repository, key)))
    if (misplaced !== undefined) throw new Error(`${misplaced.key} is not where it belongs`)
    const file = path.join(repository, recordKey(name, version, digestOf(bytes)))
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.renameSync(path.join(folder, 'release.json'), file)
    index = withListed(index, listedRelease(record, bytes), channels)
  }
  return index
}

function quietTools(): FlowTools {
  return {
    emit: () => {},
    clock: { nowMs: () => Date.now(), elapsedMs: () => performance.now() },
    signal: new AbortController().signal,
  }
}
