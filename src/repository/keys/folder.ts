import { generateKeyPairSync } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { stableJson } from '../../core/canonical-json.ts'
import { ReleaseError } from '../../core/error.ts'
import { listFiles, readFile, readTextIfExists, writeFileAtomic } from '../../sys/files.ts'
import { keyIdOf } from '../tuf/signer.ts'
import { decryptKey, encryptKey, type ScryptCost, scryptCostOf } from './encryption.ts'
import { type Environment, type EnvironmentKeys, keysFromEnvironment } from './environment.ts'
import { type AptKeyFile, type KeyFile, parseKeyFile, type StoredKeyFile, type TufKeyFile } from './key-file.ts'
import { type Passphrase, passphraseFrom } from './passphrase.ts'
import { assertOutside, assertPrivate, makePrivateFolder } from './private.ts'
import { readSeen, writeSeen } from './seen.ts'

/**
 * The private keys at hand for a repository: a folder of their own (0700) with one file each (0600), and the environment.
 *
 * Shape: `ROLE.json` and, for more keys of a role, `ROLE@KEYID8.json`; `apt.json` and `apt@FINGERPRINT8.json` for OpenPGP;
 * `trusted-root.json` (public: the root that publishing is checked against); `seen.json` (the newest state seen, by place);
 * `revoked/`, which is never read.
 */
export interface KeyFolder {
  readonly folder: string
  /** The keys of a TUF role that are here, oldest first; none is no error, for keys are spread over people and machines. Errors: KEY_PERMISSIONS, KEY_INVALID. */
  readonly tuf: (role: string) => readonly TufKey[]
  /** The OpenPGP keys: all sign. Errors: KEY_MISSING, KEY_PERMISSIONS, KEY_INVALID, KEY_PASSPHRASE. */
  readonly apt: () => readonly AptKeyFile[]
  /** The OpenPGP keys that are here, unopened. */
  readonly aptPlaces: () => readonly {
    readonly fingerprint: string
    readonly place: string
    readonly encrypted: boolean
  }[]
  /** The names that there are keys for, sorted: roles, and `apt`. */
  readonly names: () => readonly string[]
  /** Tell whether there is a key of a role, or of `apt`. */
  readonly has: (name: string) => boolean
  /** Make one more key of a TUF role. Post: durable. */
  readonly addTuf: (role: string) => TufKey
  /** Make one more OpenPGP key. Post: durable. */
  readonly addApt: (userName: string, nowMs: number) => Promise<AptKeyFile>
  /** Make the first key of a TUF role unless there is one. Post: durable. */
  readonly ensureTuf: (role: string) => readonly TufKey[]
  /** Make the first OpenPGP key unless there is one. Post: durable. */
  readonly ensureApt: (userName: string, nowMs: number) => Promise<readonly AptKeyFile[]>
  /** Put the key with a key id or an OpenPGP fingerprint aside; false when it is not in the folder. */
  readonly retire: (id: string) => boolean
  /** The root metadata that this publisher trusts, or undefined before the first `release init`. */
  readonly trustedRoot: () => string | undefined
  readonly writeTrustedRoot: (bytes: Uint8Array) => void
  /** The highest number of a timestamp that was seen at a place; 0 when none was. */
  readonly seenTimestamp: (place: string) => number
  readonly rememberTimestamp: (place: string, version: number) => void
}

/** A key of a TUF role: its public half, and the private one on request. */
export interface TufKey {
  readonly role: string
  readonly keyId: string
  /** Hex of the 32 bytes. */
  readonly publicKey: string
  /** The file, or the variable of the environment with a dollar sign. */
  readonly place: string
  readonly encrypted: boolean
  /** Errors: KEY_PASSPHRASE. */
  readonly open: () => TufKeyFile
}

/** How a keys folder is opened. */
export interface KeyFolderOptions {
  /** The folder of the repository, if it is one: keys inside it would be published. */
  readonly repository: string | undefined
  readonly create: boolean
  /** Where `CUTOVER_KEY_*` and their like are read; nothing is taken from an environment when absent. */
  readonly environment?: Environment
  /** That of the keys that are read; the file that the environment names when absent. */
  readonly passphrase?: Passphrase
  /** Encrypt the keys that are made, at this cost; they are in any case when the folder has such keys already. */
  readonly encryption?: ScryptCost | undefined
}

/**
 * Open the keys of a repository, making the folder when `create` is set. No folder is needed when the environment has keys.
 *
 * Errors: KEY_MISSING (no folder), KEY_PERMISSIONS (others may read it), KEY_PLACE (inside the repository), KEY_INVALID (the environment's).
 */
export function openKeys(folder: string, options: KeyFolderOptions): KeyFolder {
  const { environment = {} } = options
  if (options.repository !== undefined) assertOutside(folder, options.repository)
  if (options.create) makePrivateFolder(folder)
  const given = keysFromEnvironment(environment)
  if (fs.existsSync(folder) || given.keys.length === 0) assertPrivate(folder, 'folder', 0o700)
  return new Keys(folder, given, {
    passphrase: options.passphrase ?? passphraseFrom(environment),
    encryption: options.encryption,
  })
}

interface Stored {
  readonly place: string
  readonly key: StoredKeyFile
}

const otherFiles: ReadonlySet<string> = new Set(['trusted-root.json', 'seen.json'])

class Keys implements KeyFolder {
  readonly folder: string
  readonly #given: EnvironmentKeys
  readonly #secrecy: { readonly passphrase: Passphrase; readonly encryption: ScryptCost | undefined }

  constructor(
    folder: string,
    given: EnvironmentKeys,
    secrecy: { readonly passphrase: Passphrase; readonly encryption: ScryptCost | undefined },
  ) {
    this.folder = folder
    this.#given = given
    this.#secrecy = secrecy
  }

  tuf = (role: string): readonly TufKey[] => {
    const found = this.#stored(role).map(({ place, key }): TufKey => {
      if (key.kind !== 'tuf') throw wrongKind(place, key.kind, 'tuf')
      const { publicKey } = key
      const open = () => this.#open(place, key) as TufKeyFile
      return { role, keyId: keyIdOf(publicKey), publicKey, place, encrypted: key.schema === 2, open }
    })
    // A key in the folder and in the environment is one key.
    return [...new Map(found.map(key => [key.keyId, key])).values()]
  }

  apt = (): readonly AptKeyFile[] => {
    const stored = this.#stored('apt')
    if (stored.length === 0) {
      throw new ReleaseError('KEY_MISSING', `there is no OpenPGP key in ${this.folder}`, {
        details: { path: this.folder },
      })
    }
    return stored.map(({ place, key }) => {
      if (key.kind !== 'openpgp') throw wrongKind(place, key.kind, 'openpgp')
      return this.#open(place, key) as AptKeyFile
    })
  }

  aptPlaces = () =>
    this.#stored('apt').flatMap(({ place, key }) =>
      key.kind === 'openpgp' ? [{ fingerprint: key.fingerprint, place, encrypted: key.schema === 2 }] : [],
    )

  names = (): readonly string[] => {
    const inFolder = this.#files().map(name => decodeURIComponent(name.replace(/(@[0-9a-f]+)?\.json$/, '')))
    return [...new Set([...inFolder, ...this.#given.keys.map(({ key }) => nameOf(key))])].toSorted()
  }

  has = (name: string): boolean =>
    this.#filesOf(name).length > 0 || this.#given.keys.some(({ key }) => nameOf(key) === name)

  addTuf = (role: string): TufKey => {
    const key = generateTufKey(role)
    this.#write(role, keyIdOf(key.publicKey), key)
    return this.tuf(role).find(({ publicKey }) => publicKey === key.publicKey)!
  }

  addApt = async (userName: string, nowMs: number): Promise<AptKeyFile> => {
    const { generateAptKey } = await import('../apt/sign.ts')
    const key = await generateAptKey(userName, nowMs)
    this.#write('apt', key.fingerprint, key)
    return key
  }

  ensureTuf = (role: string): readonly TufKey[] => {
    if (!this.has(role)) this.addTuf(role)
    return this.tuf(role)
  }

  ensureApt = async (userName: string, nowMs: number): Promise<readonly AptKeyFile[]> => {
    if (!this.has('apt')) await this.addApt(userName, nowMs)
    return this.apt()
  }

  retire = (id: string): boolean => {
    const name = this.#files().find(file => idOf(this.#read(file).key) === id)
    if (name === undefined) return false
    const aside = path.join(this.folder, 'revoked')
    makePrivateFolder(aside)
    const { key } = this.#read(name)
    fs.renameSync(
      path.join(this.folder, name),
      path.join(aside, `${encodeURIComponent(nameOf(key))}@${id.slice(0, 8)}.json`),
    )
    return true
  }

  trustedRoot = (): string | undefined => readTextIfExists(this.#path('trusted-root.json')) ?? this.#given.trustedRoot

  // Without a folder the next run is given its root again, and walks from there.
  writeTrustedRoot = (bytes: Uint8Array): void => {
    if (fs.existsSync(this.folder)) writeFileAtomic(this.#path('trusted-root.json'), bytes)
  }

  seenTimestamp = (place: string): number =>
    Math.max(readSeen(this.#path('seen.json'), place), this.#given.seenTimestamp)

  rememberTimestamp = (place: string, version: number): void => {
    if (fs.existsSync(this.folder)) writeSeen(this.#path('seen.json'), place, version)
  }

  #stored(name: string): readonly Stored[] {
    const given = this.#given.keys.filter(({ key }) => nameOf(key) === name)
    return [...this.#filesOf(name).map(file => this.#read(file)), ...given]
  }

  #filesOf(name: string): readonly string[] {
    const encoded = encodeURIComponent(name)
    return this.#files().filter(file => file === `${encoded}.json` || file.startsWith(`${encoded}@`))
  }

  #files(): readonly string[] {
    return listFiles(this.folder).filter(
      name => name.endsWith('.json') && !name.startsWith('.') && !otherFiles.has(name),
    )
  }

  #read(name: string): Stored {
    const place = this.#path(name)
    assertPrivate(place, 'key', 0o600)
    return { place, key: parseKeyFile(readFile(place).toString('utf8'), place) }
  }

  #open(place: string, key: StoredKeyFile): KeyFile {
    return key.schema === 1 ? key : decryptKey(key, this.#secrecy.passphrase(), place)
  }

  #write(name: string, id: string, key: KeyFile): void {
    const isFirst = !fs.existsSync(this.#path(`${encodeURIComponent(name)}.json`))
    const file = `${encodeURIComponent(name)}${isFirst ? '' : `@${id.slice(0, 8)}`}.json`
    const { passphrase } = this.#secrecy
    const encryption = this.#secrecy.encryption ?? this.#presentEncryption()
    const stored = encryption === undefined ? key : encryptKey(key, passphrase(), encryption)
    writeFileAtomic(this.#path(file), stableJson(stored), { mode: 0o600 })
  }

  /** A folder that has encrypted keys gets no other: one that is forgotten about would be open. */
  #presentEncryption(): ScryptCost | undefined {
    for (const name of this.#files()) {
      const { key } = this.#read(name)
      if (key.schema === 2) return scryptCostOf(key.encryption)
    }
    return undefined
  }

  #path(name: string): string {
    return path.join(this.folder, name)
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

const nameOf = (key: StoredKeyFile) => (key.kind === 'tuf' ? key.role : 'apt')
const idOf = (key: StoredKeyFile) => (key.kind === 'tuf' ? keyIdOf(key.publicKey) : key.fingerprint)

function wrongKind(place: string, found: string, expected: string): ReleaseError {
  return new ReleaseError('KEY_INVALID', `${place} holds a key of kind ${found}, expected ${expected}`, {
    details: { path: place },
  })
}
