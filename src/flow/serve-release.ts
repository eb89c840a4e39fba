import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { type Address, parseAddress } from '../gate/front/address.ts'
import type { Health } from '../gate/front/health.ts'
import { probeCommand, probeHttp, probeTcp } from '../gate/front/health.ts'
import { accountOf } from '../prefix/account.ts'
import { commandLaunch } from '../prefix/command.ts'
import type { PrefixIdentity } from '../prefix/identity.ts'
import { isComplete, readInstalledRecipe } from '../prefix/installed.ts'
import { type PrefixPaths, releasePaths } from '../prefix/layout.ts'
import { redactor } from '../prefix/redact.ts'
import { type PrefixRole, roleOf } from '../prefix/role.ts'
import { requireSecrets, type Secrets } from '../prefix/secrets.ts'
import { releaseValues } from '../prefix/values.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { NodeRecipe, RecipeGate } from '../recipe/schema.ts'
import type { Account } from '../sys/account.ts'

/** A release of a prefix, as far as running it goes. */
export interface ServedRelease {
  readonly version: string
  /** The real path, so that one process never mixes two releases. */
  readonly folder: string
  readonly node: NodeRecipe
  /** Values of placeholders. Hold secrets. */
  readonly values: Readonly<Record<string, string>>
  readonly secrets: Secrets
  /** What it is used for; undefined where there are no roles. */
  readonly role: PrefixRole | undefined
  /** Whom it runs as; undefined: whoever runs us. */
  readonly account: Account | undefined
}

/**
 * Read what is needed to run a release.
 *
 * Errors: SERVE_NO_RELEASE, SECRET_MISSING, DOCUMENT_INVALID, RECIPE_INVALID, ENVIRONMENT_UNKNOWN, VARIABLE_INVALID, ROLE_UNKNOWN, ACCOUNT_*.
 */
export function readServedRelease(paths: PrefixPaths, identity: PrefixIdentity, version: string): ServedRelease {
  if (!isComplete(paths, version)) {
    throw new ReleaseError('SERVE_NO_RELEASE', `${releasePaths(paths, version).root} holds no complete release`, {
      hint: `install it with ${path.join(paths.bin, 'install')} --version ${version}`,
      details: { version, path: releasePaths(paths, version).root },
    })
  }
  const recipe = readInstalledRecipe(paths, version)
  const secrets = requireSecrets(paths, version, recipe.node.secrets)
  return {
    version,
    folder: releasePaths(paths, version).root,
    node: recipe.node,
    values: releaseValues({ paths, identity, recipe, version, secrets }),
    secrets,
    role: roleOf(identity, recipe),
    account: accountOf(recipe),
  }
}

/** The public addresses that a release's recipe names; at least one. Errors: RECIPE_PLACEHOLDER. */
export function listenersOf({ node, values }: ServedRelease): RecipeGate['listen'] {
  return node.gate.listen.map(listener => ({
    ...listener,
    address: fillPlaceholders(listener.address, values, 'node.gate.listen'),
  }))
}

/**
 * Ask a running release for its health once, in the way of its recipe. `address` is where the listening service is asked.
 *
 * Post: what was seen holds no secret; healthy without a word where the recipe names no way. Errors: RECIPE_PLACEHOLDER, GATE_ADDRESS_INVALID.
 */
export async function probeRelease(
  release: ServedRelease,
  address: Address,
  base: Readonly<Record<string, string>>,
): Promise<Health> {
  const health = await probe(release, address, base)
  return { ...health, evidence: redactor(release.secrets)(health.evidence) }
}

async function probe(
  release: ServedRelease,
  address: Address,
  base: Readonly<Record<string, string>>,
): Promise<Health> {
  const { http, tcp, command, timeout } = release.node.health
  const { values, secrets, folder, account } = release
  const fill = (text: string, key: string) => fillPlaceholders(text, values, `node.health.${key}`)
  if (command !== undefined) {
    const { argv } = commandLaunch(command, { release: folder, values, secrets, step: 'node.health.command' })
    const entries = Object.entries(command.environment).map(([name, text]) => [name, fill(text, 'command')] as const)
    return probeCommand(argv, {
      cwd: path.join(folder, command.directory ?? '.'),
      environment: { ...base, ...Object.fromEntries(entries) },
      timeoutMs: timeout,
      account,
    })
  }
  if (tcp !== undefined) return probeTcp(tcp === 'gate' ? address : parseAddress(fill(tcp, 'tcp')), timeout)
  if (http === undefined) return { ok: true, evidence: 'the recipe names no way to find out' }
  const { path: asked, status } = http
  const contains = expectedTexts(release).map(text => fill(text, 'http.contains'))
  const headers = http.headers.map(header => ({ ...header, contains: fill(header.contains, 'http.headers') }))
  return probeHttp(address, { path: asked, status, contains, headers }, timeout)
}

/** What the body of a good answer holds: by the recipe, and by the role that it runs in. */
export function expectedTexts({ node, role }: Pick<ServedRelease, 'node' | 'role'>): readonly string[] {
  return [node.health.http?.contains, role?.recipe?.health.contains].filter(text => text !== undefined)
}
