import { generateKeyPairSync } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { stableJson } from '../../core/canonical-json.ts'
import { isErrno, ReleaseError, toReleaseError } from '../../core/error.ts'
import { readTextIfExists, writeFileAtomic } from '../../sys/files.ts'
import { type AptKeyFile, type KeyFile, parseKeyFile, type TufKeyFile } from './key-file.ts'

/**
 * The private keys of a repository, in a folder of their own (0700) with one file each (0600).
 *
 * Shape: `ROLE.json` per TUF role, `apt.json` for OpenPGP, `trusted-root.json` (public: the root that publishing is checked against).
 */
export interface KeyFolder {
  readonly folder: string
  /** Read the key of a TUF role. Errors: KEY_MISSING, KEY_PERMISSIONS, KEY_INVALID. */
  readonly tuf: (role: string) => TufKeyFile
  /** Read the OpenPGP key. Errors: KEY_MISSING, KEY_PERMISSIONS, KEY_INVALID. */
  readonly apt: () => AptKeyFile
  /** Tell whether the key of a role is here; keys are often spread over people and machines. */
  readonly has: (name: string) => boolean
  /** Make the key of a TUF role unless it is here. Post: durable. */
  readonly ensureTuf: (role: string) => TufKeyFile
  /** Make the OpenPGP key unless it is here. Post: durable. */
  readonly ensureApt: (userName: string, nowMs: number) => Promise<AptKeyFile>
  /** The root metadata that this publisher trusts, or undefined before the first `release init`. */
  readonly trustedRoot: () => string | undefined
  readonly writeTrustedRoot: (bytes: Uint8Array) => void
}

/**
 * Open a keys folder, making it when `create` is set.
 *
 * Errors: KEY_MISSING (no folder), KEY_PERMISSIONS (others may read it), KEY_PLACE (inside the repository: it would be published).
 */
export function openKeys(
  folder: string,
  options: { readonly repository: string | undefined; readonly create: boolean },
): KeyFolder {
  if (options.repository !== undefined) assertOutside(folder, options.repository)
  if (options.create) makePrivateFolder(folder)
  assertPrivate(folder, 'folder', 0o700)
  const file = (name: string) => path.join(folder, `${encodeURIComponent(name)}.json`)
  const tuf = (role: string) => readKey(file(role), 'tuf')
  const apt = () => readKey(file('apt'), 'openpgp')
  const has = (name: string) => fs.existsSync(file(name))
  const ensureTuf = (role: string): TufKeyFile => {
    if (!has(role)) writePrivate(file(role), generateTufKey(role))
    return tuf(role)
  }
  const ensureApt = async (userName: string, nowMs: number): Promise<AptKeyFile> => {
    if (!has('apt')) {
      const { generateAptKey } = await import('../apt/sign.ts')
      writePrivate(file('apt'), await generateAptKey(userName, nowMs))
    }
    return apt()
  }
  return {
    folder,
    tuf,
    apt,
    has,
    ensureTuf,
    ensureApt,
    trustedRoot: () => readTextIfExists(file('trusted-root')),
    writeTrustedRoot: bytes => writeFileAtomic(file('trusted-root'), bytes),
  }
}

/** Make an ed25519 key for a TUF role. */
export function generateTufKey(role: string): TufKeyFile {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const jwk = publicKey.export({ format: 'jwk' })
  return {
    schema: 1,
    kind: 'tuf',
    role,
    publicKey: Buffer.from(jwk.x ?? '', 'base64url').toString('hex'),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  }
}

function readKey<Kind extends KeyFile['kind']>(file: string, kind: Kind): Extract<KeyFile, { readonly kind: Kind }> {
  assertPrivate(file, 'key', 0o600)
  const key = parseKeyFile(fs.readFileSync(file, 'utf8'), file)
  if (key.kind === kind) return key as Extract<KeyFile, { readonly kind: Kind }>
  throw new ReleaseError('KEY_INVALID', `${file} holds a key of kind ${key.kind}, expected ${kind}`, {
    details: { path: file },
  })
}

function writePrivate(file: string, key: KeyFile): void {
  writeFileAtomic(file, stableJson(key), { mode: 0o600 })
}

function makePrivateFolder(folder: string): void {
  if (fs.existsSync(folder)) return
  fs.mkdirSync(path.dirname(folder), { recursive: true })
  fs.mkdirSync(folder, { mode: 0o700 })
}

function assertPrivate(place: string, what: 'folder' | 'key', mode: number): void {
  let stat: fs.Stats
  try {
    stat = fs.statSync(place)
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT', 'ENOTDIR')) throw toReleaseError(caught)
    throw new ReleaseError('KEY_MISSING', `${place} does not exist`, { details: { path: place } })
  }
  if ((stat.mode & 0o077) === 0) return
  throw new ReleaseError(
    'KEY_PERMISSIONS',
    `the ${what} ${place} has mode ${(stat.mode & 0o777).toString(8)}, expected ${mode.toString(8)}`,
    { hint: `run: chmod ${mode.toString(8)} ${place}`, details: { path: place } },
  )
}

function assertOutside(folder: string, repository: string): void {
  const relative = path.relative(realFolder(repository), realFolder(folder))
  if (relative !== '' && (relative.startsWith('..') || path.isAbsolute(relative))) return
  throw new ReleaseError('KEY_PLACE', `the keys folder ${folder} is inside the repository ${repository}`, {
    details: { path: folder, repository },
  })
}

/** Resolve links of the part of a path that exists. */
function realFolder(folder: string): string {
  const absolute = path.resolve(folder)
  if (fs.existsSync(absolute)) return fs.realpathSync(absolute)
  return path.join(realFolder(path.dirname(absolute)), path.basename(absolute))
}
