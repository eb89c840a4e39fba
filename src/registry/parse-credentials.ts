import { parseStoredName, type RepositoryName } from './reference.ts'

/** What proves to a registry who asks. Never written anywhere. */
export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** For the token server only, in exchange for an access token. */
  | { readonly kind: 'identity'; readonly token: string }

/** Docker's config.json or Podman's auth.json, as far as it is about credentials. */
export interface CredentialsFile {
  readonly entries: Readonly<Record<string, Credentials>>
  /** Names of helpers by registry. */
  readonly helpers: Readonly<Record<string, string>>
  /** The helper for all registries. */
  readonly store: string | undefined
}

/**
 * Read a credentials file. Entries without a secret are left out: Docker writes such for what is in a store.
 *
 * Errors: a plain Error without anything of the content. Source: containers-auth.json(5), Docker's `configfile`.
 */
export function parseCredentialsFile(document: unknown): CredentialsFile {
  const file = members(document)
  const entries = Object.entries(members(file['auths'] ?? {})).flatMap(([key, value]) => {
    const credentials = parseEntry(members(value ?? {}))
    return credentials === undefined ? [] : [[key, credentials] as const]
  })
  const helpers = Object.entries(members(file['credHelpers'] ?? {})).flatMap(([key, name]) =>
    typeof name === 'string' && name !== '' ? [[key, name] as const] : [],
  )
  const store = file['credsStore']
  return {
    entries: Object.fromEntries(entries),
    helpers: Object.fromEntries(helpers),
    store: typeof store === 'string' && store !== '' ? store : undefined,
  }
}

/** Choose the helper for a registry: its own, else the store of the file. */
export function chooseHelper(file: CredentialsFile, { registry }: RepositoryName): string | undefined {
  const own = Object.entries(file.helpers).find(([key]) => {
    const name = parseStoredName(key)
    return name?.registry === registry && name.repository === ''
  })
  return own?.[1] ?? file.store
}

/**
 * Choose the entry for a repository: of those whose key is the registry or a path above the repository, the longest.
 *
 * Post: a key counts whole parts only: `HOST/team` is for `HOST/team/app`, not for `HOST/teams/app`, and a host with a port for that port only.
 */
export function chooseEntry(file: CredentialsFile, wanted: RepositoryName): Credentials | undefined {
  let best: { readonly length: number; readonly credentials: Credentials } | undefined
  for (const [key, credentials] of Object.entries(file.entries)) {
    const name = parseStoredName(key)
    if (name === undefined || name.registry !== wanted.registry) continue
    const path = name.repository
    if (path !== '' && path !== wanted.repository && !wanted.repository.startsWith(`${path}/`)) continue
    if (best === undefined || path.length > best.length) best = { length: path.length, credentials }
  }
  return best?.credentials
}

function parseEntry(entry: Readonly<Record<string, unknown>>): Credentials | undefined {
  const { identitytoken, auth, username, password } = entry
  if (typeof identitytoken === 'string' && identitytoken !== '') return { kind: 'identity', token: identitytoken }
  if (typeof auth === 'string' && auth !== '') {
    const text = Buffer.from(auth, 'base64').toString()
    const colon = text.indexOf(':')
    if (colon <= 0) throw new Error('an entry has no user and password')
    // Docker has written a NUL behind the password.
    return { kind: 'password', user: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') }
  }
  if (typeof username !== 'string' || typeof password !== 'string' || username === '') return undefined
  return { kind: 'password', user: username, password }
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new Error('not an object')
}
