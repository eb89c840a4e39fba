import path from 'node:path'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { defaultScryptCost } from '../repository/keys/encryption.ts'
import { type KeyFolder, openKeys } from '../repository/keys/folder.ts'
import { type PublicKeyEntry, parsePublicKeys, publicKeysOf, publicKeysText } from '../repository/keys/public-keys.ts'
import { signingWith } from '../repository/keys/signing.ts'
import { rootAuthority, type TopLevelRole, topLevelRoles } from '../repository/tuf/authority.ts'
import { assemble, rootPayloadOf, type SigningPayload, signPayload } from '../repository/tuf/ceremony.ts'
import { defaultLifetimesDays } from '../repository/tuf/expiry.ts'
import { isTopLevel } from '../repository/tuf/key-change.ts'
import { type RootRoles, rootPart } from '../repository/tuf/root.ts'
import { readFile, writeFileAtomic } from '../sys/files.ts'
import { verifyRoot } from '../trust/root.ts'
import { roleNamed, writePayload } from './keys-change.ts'
import type { FlowTools } from './tools.ts'
import { assertName } from './usable-name.ts'

/** Which keys to make. */
export interface KeysInitOptions {
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** The keys folder; it is made unless it is there. */
  readonly keys: string
  /** The roles to make keys for here: role names, names of applications, `apt`. */
  readonly roles: readonly string[]
  /** How many keys to make, by role; one when it says nothing. */
  readonly counts: ReadonlyMap<string, number>
  /** How many must sign, by role; one when it says nothing. */
  readonly thresholds: ReadonlyMap<string, number>
  /** Encrypt the keys with the passphrase that the environment names the file of. */
  readonly encrypt: boolean
  /** Files with public keys that others made. */
  readonly publicFiles: readonly string[]
  /** Where to write the public halves of the keys here. */
  readonly exportFile?: string | undefined
  /** Where to write the first root, when its keys are elsewhere. */
  readonly payload?: string | undefined
}

/** What the making of keys came to. */
export interface KeysInitResult {
  readonly keys: string
  readonly made: readonly string[]
  /** The fingerprint of the first root; absent while it is not signed or some role has no key. */
  readonly fingerprint?: string
}

/**
 * Make keys, and the first root as soon as every role has keys.
 *
 * Post: a second run makes nothing more. The root is signed when enough of its keys are here, else written down to be signed elsewhere.
 * Errors: USAGE, KEY_PERMISSIONS, KEY_PASSPHRASE, KEY_INVALID (of `publicFiles`), KEY_THRESHOLD (the root must be signed elsewhere, and no
 * payload was asked for).
 */
export async function initKeys(options: KeysInitOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const { environment } = options
  const folder = path.resolve(options.cwd, options.keys)
  for (const name of options.roles) assertName(name, 'name a role, an application or apt')
  const keys = openKeys(folder, {
    repository: undefined,
    create: true,
    environment,
    encryption: options.encrypt ? defaultScryptCost : undefined,
  })
  assertNoOtherRoot(keys, options)
  const made = await makeKeys(keys, options, tools)
  const others = options.publicFiles.flatMap(file => readPublic(path.resolve(options.cwd, file)))
  if (options.exportFile !== undefined) {
    writeFileAtomic(path.resolve(options.cwd, options.exportFile), publicKeysText(publicKeysOf(keys)))
  }
  const fingerprint = keys.trustedRoot() === undefined ? await makeRoot(keys, others, options, tools) : undefined
  const result: KeysInitResult = { keys: folder, made, ...(fingerprint === undefined ? {} : { fingerprint }) }
  tellKeys(keys, tools)
  tools.emit({
    kind: 'run-done',
    command: 'keys init',
    changed: made.length > 0 || fingerprint !== undefined,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: made.length === 0 ? `${folder} has these keys already` : `${folder} has ${made.length} new keys`,
    result,
  })
}

function tellKeys(keys: KeyFolder, tools: FlowTools): void {
  tools.emit({
    kind: 'table',
    title: `Keys in ${keys.folder}`,
    columns: ['Role', 'Keys'],
    rows: keys.names().map(name => [
      name,
      name === 'apt'
        ? 'OpenPGP'
        : keys
            .tuf(name)
            .map(key => key.keyId.slice(0, 16))
            .join(' '),
    ]),
  })
}

/** Keys may be added to a folder at any time; who signs is said by the root that there is. */
function assertNoOtherRoot(keys: KeyFolder, { thresholds, payload }: KeysInitOptions): void {
  const trusted = keys.trustedRoot()
  if (trusted === undefined) return
  const root = verifyRoot(Buffer.from(trusted), keys.folder)
  const other = topLevelRoles.find(role => {
    const { threshold } = rootAuthority(root, role)
    return (thresholds.get(role) ?? threshold) !== threshold
  })
  if (other === undefined && payload === undefined) return
  throw new ReleaseError('USAGE', `${keys.folder} trusts a root already, which says who signs and how many must`, {
    hint: 'change it with: release keys rotate, release keys revoke',
    details: { path: keys.folder },
  })
}

async function makeKeys(keys: KeyFolder, options: KeysInitOptions, tools: FlowTools): Promise<readonly string[]> {
  const made: string[] = []
  for (const name of options.roles) {
    if (name === 'apt') {
      if (!keys.has('apt')) made.push((await keys.addApt(path.basename(keys.folder), tools.clock.nowMs())).fingerprint)
      continue
    }
    const role = roleNamed(name)
    const count = options.counts.get(name) ?? 1
    while (keys.tuf(role).length < count) made.push(keys.addTuf(role).keyId)
  }
  return made
}

function readPublic(file: string): readonly PublicKeyEntry[] {
  return parsePublicKeys(readFile(file).toString('utf8'), file).keys
}

async function makeRoot(
  keys: KeyFolder,
  others: readonly PublicKeyEntry[],
  options: KeysInitOptions,
  tools: FlowTools,
): Promise<string | undefined> {
  const roles = rootRolesOf([...publicKeysOf(keys).keys, ...others], options.thresholds)
  if (roles === undefined) {
    tools.emit({
      kind: 'note',
      message: 'the root is made when every role has keys: give those of others with --public',
    })
    return undefined
  }
  const nowMs = tools.clock.nowMs()
  const payload = rootPayloadOf(rootPart(1, roles, { nowMs, lifetimesDays: defaultLifetimesDays }), undefined)
  if (options.payload !== undefined) {
    const { cwd, keys: folder, payload: file } = options
    await writePayload(payload, { cwd, keys: folder, payload: file }, tools)
    return undefined
  }
  const root = signedHere(payload, keys, nowMs)
  keys.writeTrustedRoot(root)
  return digestOf(root)
}

function signedHere(payload: SigningPayload, keys: KeyFolder, nowMs: number): Buffer {
  try {
    return assemble(payload, [signPayload(payload, signingWith(keys, { nowMs }).signers('root'))])
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || !['KEY_MISMATCH', 'KEY_THRESHOLD'].includes(caught.code)) throw caught
    throw new ReleaseError('KEY_THRESHOLD', `the first root must be signed elsewhere: ${caught.message}`, {
      hint: 'write it down with --payload FILE, then: release keys sign, release keys import',
      cause: caught,
    })
  }
}

/** Undefined while a role has fewer keys than must sign. Errors: USAGE (a threshold for what the root does not name). */
function rootRolesOf(
  entries: readonly PublicKeyEntry[],
  thresholds: ReadonlyMap<string, number>,
): RootRoles | undefined {
  const odd = [...thresholds.keys()].find(role => !isTopLevel(role))
  if (odd !== undefined) {
    throw new ReleaseError('USAGE', `the root does not say how many keys sign for ${odd}`, {
      hint: `choose one of ${topLevelRoles.join(', ')}`,
    })
  }
  const of = (role: TopLevelRole) => ({
    publicKeys: [...new Set(entries.filter(entry => entry.role === role).map(({ publicKey }) => publicKey))],
    threshold: thresholds.get(role) ?? 1,
  })
  const roles = { root: of('root'), targets: of('targets'), snapshot: of('snapshot'), timestamp: of('timestamp') }
  const isComplete = topLevelRoles.every(role => roles[role].publicKeys.length >= roles[role].threshold)
  return isComplete ? roles : undefined
}
