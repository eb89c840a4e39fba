import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { applyChanges, copyFixture, type Fixture } from '../../fixtures/make-repository.ts'
import { prepared, preparedNotes } from '../../fixtures/prepare.ts'
import { digestOf } from '../../src/core/digest.ts'
import type { PayloadManifest } from '../../src/payload/manifest.ts'
import { runNodeCommand } from '../../src/prefix/command.ts'
import { type PrefixIdentity, writeIdentity } from '../../src/prefix/identity.ts'
import { prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { prepareRuntime } from '../../src/prefix/runtime.ts'
import { requireSecrets } from '../../src/prefix/secrets.ts'
import { makeShared } from '../../src/prefix/shared.ts'
import { releaseValues } from '../../src/prefix/values.ts'
import { loadRecipe } from '../../src/recipe/load.ts'
import { nodeRecipeJson, parseNodeRecipe } from '../../src/recipe/node.ts'
import { setVersion } from '../../src/source/version-file.ts'
import { tempFolder } from './temp.ts'

/** A prefix with releases of a fixture, set up by the functions that an installation uses, with no repository behind it. */
export interface FixturePrefix {
  readonly root: string
  readonly switchTo: (version: string) => void
  /** Run a release's migrations. */
  readonly migrate: (version: string) => Promise<void>
}

/** Make a prefix with releases of a fixture; the first one is active. */
export async function fixturePrefix(options: {
  readonly fixture: Fixture
  readonly versions: readonly [string, ...string[]]
  readonly mode: 'proxy' | 'handover'
}): Promise<FixturePrefix> {
  const { fixture, versions, mode } = options
  const root = tempFolder()
  const paths = prefixPaths(root)
  for (const folder of [paths.releases, paths.shared, paths.run]) fs.mkdirSync(folder, { recursive: true })
  const identity: PrefixIdentity = {
    schema: 1,
    layout: 1,
    application: fixture,
    repository: 'file:///nowhere',
    environment: 'production',
    gateMode: mode,
    variables: { PORT: '0' },
  }
  writeIdentity(paths, identity)
  const migrations = new Map<string, () => Promise<void>>()
  for (const version of versions) migrations.set(version, await addRelease(version))
  const switchTo = (version: string) => {
    fs.rmSync(paths.current, { force: true })
    fs.symlinkSync(path.join('releases', version), paths.current)
  }
  switchTo(versions[0])
  return { root, switchTo, migrate: version => migrations.get(version)!() }

  async function addRelease(version: string): Promise<() => Promise<void>> {
    const release = releasePaths(paths, version)
    const built = await builtCheckout(fixture, version)
    const { recipe, raw } = loadRecipe(path.join(built, 'release.yaml'))
    for (const { from } of recipe.payload.entries)
      fs.cpSync(path.join(built, from), path.join(release.root, from), { recursive: true })
    fs.mkdirSync(release.metadata)
    fs.writeFileSync(release.record, '{}')
    fs.writeFileSync(release.recipe, JSON.stringify(nodeRecipeJson(raw)))
    const installed = parseNodeRecipe(nodeRecipeJson(raw))
    const secrets = requireSecrets(paths, version, installed.node.secrets)
    const values = releaseValues({ paths, identity, recipe: installed, version, secrets })
    const { signal } = new AbortController()
    const manifest = { version, files: filesBelow(release.root) }
    await prepareRuntime({ paths, version, runtime: installed.node.runtime, manifest, values, signal })
    const { environment } = identity
    makeShared({ paths, version, environment, node: installed.node, values, account: undefined })
    const context = { release: release.root, values, secrets, emit: () => {}, signal }
    return async () => {
      for (const migration of installed.node.migrations)
        await runNodeCommand(migration, 'MIGRATION_FAILED', { ...context, step: migration.name })
    }
  }
}

/** The files of a folder as a manifest has them, as far as pip goes. */
function filesBelow(root: string): PayloadManifest['files'] {
  const entries = fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const unpacked = { mode: 0o644, sizeBytes: 0, tarOffset: 0, firstSegment: 0, lastSegment: 0 }
  return entries.map(entry => {
    const file = path.join(entry.parentPath, entry.name)
    return { type: 'file', path: path.relative(root, file), digest: digestOf(fs.readFileSync(file)), ...unpacked }
  })
}

/** A fixture's checkout at a version, after its build; kept between runs and shared, so that nobody writes to it. */
export function builtCheckout(fixture: Fixture, version: string): Promise<string> {
  if (fixture === 'notes') return preparedNotes(version)
  return prepared(`weave-${version}`, {
    fill: async draft => {
      copyFixture(fixture, draft)
      await applyChanges(fixture, draft, version)
      const { recipe } = loadRecipe(path.join(draft, 'release.yaml'))
      for (const file of recipe.source.versionFiles) {
        const place = path.join(draft, file.path)
        fs.writeFileSync(place, setVersion(fs.readFileSync(place, 'utf8'), file, version))
      }
    },
    build: async draft => {
      const environment = { ...process.env, SOURCE_DATE_EPOCH: '1700000000' }
      await promisify(execFile)('/usr/bin/python3', ['tools/build_vendor.py'], { cwd: draft, env: environment })
    },
  })
}
