import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../../src/core/error.ts'
import { generateAptKey, renderKeyring } from '../../src/repository/apt/sign.ts'
import type { AptPackage, AptPackageKey, SuiteState } from '../../src/repository/apt/state.ts'
import { type NextSuite, nextSuite, type ReadFile, type SuiteChange } from '../../src/repository/apt/suite.ts'
import type { Document } from '../../src/repository/document.ts'
import type { AptKeyFile } from '../../src/repository/keys/key-file.ts'
import type { AptSettings, RepositoryDescription } from '../../src/trust/layout.ts'

/** Suites of apt without the rest of a repository: files in memory, a state that is kept from change to change. */
export interface MadeSuites {
  readonly files: Map<string, Buffer>
  readonly states: Map<string, SuiteState>
  description: RepositoryDescription
  keys: readonly AptKeyFile[]
  nowMs: number
  readonly read: ReadFile
  /** Change a suite, and store and remove what follows from it. */
  publish(suite: string, change: PackageChange): Promise<NextSuite>
  store(documents: readonly Document[]): void
  /** Make a folder hold what is stored. */
  writeTo(folder: string): void
}

/** What changes. */
export interface PackageChange extends Partial<Pick<SuiteChange, 'rebuild' | 'kept'>> {
  readonly added?: readonly AptPackage[]
  readonly removed?: readonly AptPackageKey[]
}

/** Make suites that hold nothing, with a key of their own. */
export async function makeSuites(apt: Partial<AptSettings> = {}, nowMs = Date.now()): Promise<MadeSuites> {
  const key = await generateAptKey('vendor', nowMs)
  const files = new Map<string, Buffer>()
  const made: MadeSuites = {
    files,
    states: new Map(),
    description: describeRepository(await renderKeyring([key]), apt),
    keys: [key],
    nowMs,
    read: async name => {
      const bytes = files.get(name)
      if (bytes === undefined) throw new ReleaseError('REPOSITORY_DAMAGED', `no ${name}`)
      return bytes
    },
    async publish(suite, { added = [], removed = [], kept = new Set(), rebuild = false }) {
      const { description, keys, read } = made
      const options = { suite, description, before: made.states.get(suite), added, removed, rebuild, kept, keys, read }
      const next = await nextSuite({ ...options, nowMs: made.nowMs })
      made.states.set(suite, next.state)
      made.store(next.documents)
      for (const obsolete of next.obsolete) files.delete(obsolete)
      return next
    },
    store(documents) {
      for (const { key: name, bytes } of documents) files.set(name, bytes)
    },
    writeTo(folder) {
      for (const [name, bytes] of files) {
        fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
        fs.writeFileSync(path.join(folder, name), bytes)
      }
    },
  }
  return made
}

function describeRepository(aptKey: string, apt: Partial<AptSettings>): RepositoryDescription {
  return {
    schema: 1,
    name: 'vendor',
    url: 'https://packages.example/',
    aptKey,
    channels: ['edge', 'beta', 'stable'],
    lifetimesDays: { root: 1, targets: 1, application: 1, snapshot: 1, timestamp: 1 },
    apt: { components: 'repository', compressions: ['gz', 'zst'], contents: false, ...apt },
  }
}

/** A package that is only listed. */
export function listedPackage(name: string, version: string, more: Partial<AptPackage> = {}): AptPackage {
  const architecture = more.architecture ?? 'amd64'
  return {
    component: 'main',
    architecture,
    package: name,
    version,
    stanza: `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\nSection: web\nDescription: ${name}\n`,
    ...more,
  }
}
