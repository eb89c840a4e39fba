import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { stableJson } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import { parseJson, readTextIfExists, writeFileAtomic } from '../sys/files.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'

/** Secrets by the name of their variable. Never logged, never in argv. */
export type Secrets = Readonly<Record<string, string>>

/** A secret that a recipe asks for. */
export type WantedSecret = NodeRecipe['secrets'][number]

/** Where a secret comes from. `age` ones belong to a release and are gone back with it; the others belong to the prefix. */
export function secretKind({ command, age }: Pick<WantedSecret, 'command' | 'age'>): 'generated' | 'command' | 'age' {
  if (command !== undefined) return 'command'
  return age === undefined ? 'generated' : 'age'
}

/**
 * Make the secrets that a recipe wants generated and that the prefix does not have yet.
 *
 * Post: `shared/secrets.json` with mode 0600, durable; a secret that exists is never changed, nor one removed that no recipe asks for
 * any more (a rollback may need it). Errors: DOCUMENT_INVALID, without any of its content.
 */
export function generateSecrets(paths: PrefixPaths, wanted: readonly WantedSecret[]): void {
  const known = readStored(paths.secrets)
  const missing = wanted.filter(secret => secretKind(secret) === 'generated' && !Object.hasOwn(known, secret.name))
  if (missing.length === 0) return
  const made = missing.map(secret => [secret.name, randomBytes(secret.bytes).toString(secret.encoding)] as const)
  storeSecrets(paths.secrets, { ...known, ...Object.fromEntries(made) })
}

/** Read those secrets of a release that were gathered so far. Errors: DOCUMENT_INVALID, without any content. */
export function readSecrets(paths: PrefixPaths, version: string, wanted: readonly WantedSecret[]): Secrets {
  if (wanted.length === 0) return {}
  const kept = readStored(paths.secrets)
  const own = wanted.some(secret => secretKind(secret) === 'age')
    ? readStored(releasePaths(paths, version).secrets)
    : {}
  const found = wanted.map(secret => [secret.name, (secretKind(secret) === 'age' ? own : kept)[secret.name]] as const)
  return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as Secrets
}

/**
 * Read the secrets that a release runs with, all of them.
 *
 * Post: a generated one that was lost is made anew. Errors: SECRET_MISSING with all names, DOCUMENT_INVALID without any content.
 */
export function requireSecrets(paths: PrefixPaths, version: string, wanted: readonly WantedSecret[]): Secrets {
  generateSecrets(paths, wanted)
  const found = readSecrets(paths, version, wanted)
  const missing = wanted.flatMap(({ name }) => (Object.hasOwn(found, name) ? [] : [name]))
  if (missing.length === 0) return found
  throw new ReleaseError('SECRET_MISSING', `${version} runs with ${missing.join(', ')}, which ${paths.root} has not`, {
    hint: `restore ${paths.secrets} from a backup, or install another version and then this one again`,
    details: { version, missing },
  })
}

/** Read a file of secrets; none when there is no such file. Errors: DOCUMENT_INVALID, without any content. */
export function readStored(file: string): Secrets {
  const text = readTextIfExists(file)
  if (text === undefined) return {}
  const value = parseJsonWithoutContent(text, file)
  if (typeof value === 'object' && value !== null && Object.values(value).every(secret => typeof secret === 'string')) {
    return value as Secrets
  }
  throw new ReleaseError('DOCUMENT_INVALID', `${file} is not a map of texts`, { details: { path: file } })
}

/** Write a file of secrets. Post: mode 0600, durable; one that holds the same is left alone. */
export function storeSecrets(file: string, secrets: Secrets): void {
  const text = stableJson(secrets)
  if (readTextIfExists(file) === text) return
  fs.mkdirSync(path.dirname(file), { recursive: true })
  writeFileAtomic(file, text, { mode: 0o600 })
}

/** V8's message about bad JSON quotes the text, which here is a secret: neither it nor its cause may get out. */
function parseJsonWithoutContent(text: string, place: string): unknown {
  try {
    return parseJson(text, place)
  } catch {
    throw new ReleaseError('DOCUMENT_INVALID', `${place} is not JSON`, { details: { path: place } })
  }
}
