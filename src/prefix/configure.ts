import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { Account } from '../sys/account.ts'
import { findIsolation } from '../sys/isolation.ts'
import { accountOf } from './account.ts'
import { type CommandContext, runNodeCommand } from './command.ts'
import { renderConfig } from './config-files.ts'
import type { FileChange } from './file-change.ts'
import { gatherSecrets } from './gather-secrets.ts'
import { releasePaths } from './layout.ts'
import { arrangeMounts } from './mounts.ts'
import { roleOf } from './role.ts'
import { prepareRuntime } from './runtime.ts'
import { placeSecretFiles } from './secret-files.ts'
import { generateSecrets, readSecrets, secretKind } from './secrets.ts'
import { withSetupRights } from './setup-rights.ts'
import { makeShared } from './shared.ts'
import { releaseValues } from './values.ts'

/**
 * Give a staged release its interpreter and run what its recipe says, without a network unless it asks for one.
 *
 * Errors: RUNTIME_*, SETUP_FAILED, MANIFEST_INVALID.
 */
export async function setUp(change: FileChange): Promise<string> {
  const { paths, version } = change
  const recipe = change.recipe()
  const { runtime, setup, secrets } = recipe.node
  const manifest = stagedManifest(change)
  const account = accountOf(recipe)
  generateSecrets(paths, secrets)
  // To open and close all folders takes its time, which a release that runs nothing need not.
  if (setup.length === 0 && runtime.kind !== 'python' && runtime.interpreter === undefined)
    return await runSetup(change, { manifest, account, closed: [], open: [] })
  const walls = await findWalls(change)
  return await withSetupRights({ paths, version, manifest }, account, user =>
    runSetup(change, { manifest, account: user, ...walls }),
  )
}

/** What setup commands are started by: those without a network, those with. */
interface Walls {
  readonly closed: readonly string[]
  readonly open: readonly string[]
}

async function findWalls({ recipe, emit }: FileChange): Promise<Walls> {
  const { setup } = recipe().node
  const closed = await findIsolation({ network: 'none' })
  const open = setup.some(command => command.network) ? await findIsolation({ network: 'open' }) : closed
  if (!closed.network && setup.some(command => !command.network))
    emit({ kind: 'note', message: 'this machine cannot keep the network from setup commands' })
  return { closed: closed.within, open: open.within }
}

async function runSetup(
  change: FileChange,
  run: Walls & { readonly manifest: PayloadManifest; readonly account: Account | undefined },
): Promise<string> {
  const { paths, version, signal } = change
  const { runtime, setup } = change.recipe().node
  const { manifest, account, closed, open } = run
  const { values } = commandContext(change, 'setup')
  const prepared = await prepareRuntime({ paths, version, runtime, manifest, values, account, within: closed, signal })
  // The values name the interpreter only now that it was chosen.
  const context = { ...commandContext(change, 'setup'), account, umask: 0o022 }
  for (const command of setup)
    await runNodeCommand(command, 'SETUP_FAILED', { ...context, within: command.network ? open : closed })
  return setup.length === 0 ? prepared : `${prepared}, ${setup.length} commands`
}

/** The payload of a release that is being staged. Errors: MANIFEST_INVALID (it holds a file that configuration is written to). */
function stagedManifest(change: FileChange): PayloadManifest {
  const { origin, version } = change
  if (origin === undefined) throw new Error('a release is set up without an origin')
  const { manifest } = origin.documents
  const written = new Set(change.recipe().node.config.map(file => file.path))
  const taken = manifest.files.find(entry => written.has(entry.path))
  if (taken === undefined) return manifest
  throw new ReleaseError('MANIFEST_INVALID', `the payload holds ${taken.path}, which node.config writes`, {
    hint: 'the recipe must ship only the template of a configuration file',
    details: { path: taken.path, version },
  })
}

/**
 * Make what does not belong to the files of a release: secrets, configuration, what outlives releases. What was written, for people.
 *
 * Pre: nothing has stopped yet. Errors: SECRET_*, SHARED_OWNER, ROLE_*, RECIPE_PLACEHOLDER, RELEASE_CHANGED, FILE_IO.
 */
export async function share(change: FileChange): Promise<string | undefined> {
  const { paths, version, identity } = change
  const recipe = change.recipe()
  await gatherSecrets(change, commandContext(change, 'share'))
  const { values, secrets, account } = commandContext(change, 'share')
  const { environment } = identity
  const made = makeShared({ paths, version, environment, node: recipe.node, values, account })
  const mounted = arrangeMounts({ paths, identity, role: roleOf(identity, recipe), account })
  placeSecretFiles({ paths, version, wanted: recipe.node.secrets, secrets, account })
  const rendered = renderConfig({ paths, version, environment, config: recipe.node.config, values, account })
  const asked = recipe.node.secrets.filter(secret => secretKind(secret) !== 'generated').length
  const told = [...made, ...rendered.map(name => path.join('releases', version, name))]
  const parts = [
    ...(asked === 0 ? [] : [`${asked} secrets from elsewhere`]),
    ...(told.length === 0 ? [] : [`wrote ${told.join(', ')}`]),
    ...(mounted.length === 0 ? [] : [`mounted ${mounted.join(', ')}`]),
  ]
  return parts.length === 0 ? undefined : parts.join(', ')
}

/** What commands of a recipe run with during a change. Post: secrets as far as they are gathered: all of them once `share` is done. */
export function commandContext(change: FileChange, step: string): CommandContext {
  const { paths, identity, version, emit, signal } = change
  const recipe = change.recipe()
  const secrets = readSecrets(paths, version, recipe.node.secrets)
  const values = releaseValues({ paths, identity, recipe, version, secrets })
  return { release: releasePaths(paths, version).root, values, secrets, account: accountOf(recipe), step, emit, signal }
}
