import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { stableJson } from '../core/canonical-json.ts'
import { ReleaseError } from '../core/error.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import { parseJson, readTextIfExists, writeFileAtomic } from '../sys/files.ts'
import type { PrefixPaths } from './layout.ts'

/** Secrets by the name of their variable. Never logged, never in argv. */
export type Secrets = Readonly<Record<string, string>>

/**
 * Make the secrets that a recipe asks for and that the prefix does not have yet; hand back all that it has.
 *
 * Post: `shared/secrets.json` with mode 0600, durable; a secret that exists is never changed, nor one removed that no recipe asks for
 * any more (a rollback may need it). Errors: DOCUMENT_INVALID, without any of its content.
 */
export function ensureSecrets(paths: PrefixPaths, wanted: NodeRecipe['secrets']): Secrets {
  const known = readSecrets(paths)
  const missing = wanted.filter(secret => !Object.hasOwn(known, secret.name))
  if (missing.length === 0) return known
  const made = missing.map(secret => [secret.name, randomBytes(secret.bytes).toString(secret.encoding)] as const)
  const secrets = { ...known, ...Object.fromEntries(made) }
  fs.mkdirSync(path.dirname(paths.secrets), { recursive: true })
  writeFileAtomic(paths.secrets, stableJson(secrets), { mode: 0o600 })
  return secrets
}

function readSecrets(paths: PrefixPaths): Secrets {
  const text = readTextIfExists(paths.secrets)
  if (text === undefined) return {}
  const value = parseJsonWithoutContent(text, paths.secrets)
  if (typeof value === 'object' && value !== null && Object.values(value).every(secret => typeof secret === 'string')) {
    return value as Secrets
  }
  throw new ReleaseError('DOCUMENT_INVALID', `${paths.secrets} is not a map of texts`, {
    details: { path: paths.secrets },
  })
}

/** V8's message about bad JSON quotes the text, which here is a secret: neither it nor its cause may get out. */
function parseJsonWithoutContent(text: string, place: string): unknown {
  try {
    return parseJson(text, place)
  } catch {
    throw new ReleaseError('DOCUMENT_INVALID', `${place} is not JSON`, { details: { path: place } })
  }
}
