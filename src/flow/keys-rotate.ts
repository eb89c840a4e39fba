import { ReleaseError } from '../core/error.ts'
import { renderKeyring } from '../repository/apt/sign.ts'
import type { RepositoryChange } from '../repository/change.ts'
import { readAptKeys } from '../repository/keys/apt-keys.ts'
import { parsePublicKeys } from '../repository/keys/public-keys.ts'
import type { RepositoryView } from '../repository/state.ts'
import type { Signatories } from '../repository/tuf/delegation.ts'
import { signatoriesOf, withKey, withoutKey } from '../repository/tuf/key-change.ts'
import { keyIdOf } from '../repository/tuf/signer.ts'
import type { TufState } from '../repository/tuf/state.ts'
import { readFile } from '../sys/files.ts'
import type { RepositoryDescription } from '../trust/layout.ts'
import {
  assertSignable,
  exportSignatories,
  fileOf,
  type KeysOptions,
  publishSignatories,
  roleNamed,
  targetsPayload,
  toBeSigned,
  writePayload,
} from './keys-change.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher, type Publisher, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** Which key to put another in the place of. */
export interface KeysRotateOptions extends KeysOptions {
  /** A role, the name of an application, or `apt`. */
  readonly role: string
  /** The key to replace, by the beginning of its id; it may be left out where there is only one. */
  readonly key?: string | undefined
  /** The file with the public key that was made elsewhere; one is made here when absent. */
  readonly publicFile?: string | undefined
  /** Leave the old key beside the new one. */
  readonly keep: boolean
}

/** What a rotation came to. */
export interface KeysRotateResult {
  readonly role: string
  readonly added: string
  /** Absent while the old key is trusted beside the new one. */
  readonly removed?: string
}

/**
 * Put a new key in the place of an old one, so that no reader meets metadata that it cannot verify.
 *
 * First both keys are trusted and both sign; then the old one is dropped, which by then nothing needs. Killed between, both stay until
 * `release keys revoke`. The old OpenPGP key of apt always stays, for machines learn of the new one by their sources.
 * Errors: USAGE (no such role or key), KEY_*, those of publishing.
 */
export async function rotateKey(options: KeysRotateOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const publisher = await openPublisher(options, await findClone(options, tools))
  const view = await viewOf(publisher)
  const rotation = { publisher, view }
  const result =
    options.role === 'apt' ? await rotateApt(rotation, options, tools) : await rotateRole(rotation, options, tools)
  const { role, added, removed } = result
  const rest = removed === undefined ? 'stands beside the old one' : `stands in the place of ${removed}`
  tools.emit({
    kind: 'run-done',
    command: 'keys rotate',
    changed: options.payload === undefined,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: options.payload === undefined ? `the key ${added} of ${role} ${rest}` : toBeSigned(options.payload),
    result,
  })
}

interface Rotation {
  readonly publisher: Publisher
  /** As the repository was at the beginning. */
  readonly view: RepositoryView
}

async function rotateRole(
  { publisher, view }: Rotation,
  options: KeysRotateOptions,
  tools: FlowTools,
): Promise<KeysRotateResult> {
  const role = roleNamed(options.role)
  const before = signatoriesOf(view.tuf, role)
  const old = chosenKey(role, before, options.key)
  if (options.payload === undefined) assertSignable(publisher, view, [role])
  const publicKey =
    options.publicFile === undefined
      ? newKeyHere(publisher, role, before)
      : publicKeyFrom(fileOf(options, options.publicFile), role)
  const added = keyIdOf(publicKey)
  const add = (state: TufState) => new Map([[role, withKey(signatoriesOf(state, role), publicKey)]])
  const work = { publisher, command: 'release keys rotate', edit: add }
  if (options.payload !== undefined) {
    await exportSignatories(work, { ...options, payload: options.payload }, tools)
    return { role, added }
  }
  await publishSignatories(work, tools)
  if (options.keep || options.publicFile !== undefined) return { role, added }
  const drop = (state: TufState) => new Map([[role, withoutKey(role, signatoriesOf(state, role), old)]])
  await publishSignatories({ ...work, edit: drop }, tools)
  publisher.keys.retire(old)
  return { role, added, removed: old }
}

/** A key of an attempt that was killed is as good as a new one. */
function newKeyHere({ keys }: Publisher, role: string, before: Signatories): string {
  const unused = keys.tuf(role).find(({ publicKey }) => !before.publicKeys.includes(publicKey))
  return (unused ?? keys.addTuf(role)).publicKey
}

function publicKeyFrom(file: string, role: string): string {
  const { keys } = parsePublicKeys(readFile(file).toString('utf8'), file)
  const [key, ...more] = keys.filter(entry => entry.role === role)
  if (key !== undefined && more.length === 0) return key.publicKey
  throw new ReleaseError(
    'USAGE',
    `${file} has ${more.length + (key === undefined ? 0 : 1)} keys of ${role}, expected one`,
    {
      hint: `make it where it is kept: release keys init --keys DIR --role ${role} --export FILE`,
      details: { path: file, role },
    },
  )
}

function chosenKey(role: string, { publicKeys }: Signatories, prefix: string | undefined): string {
  const ids = publicKeys.map(keyIdOf)
  const found = prefix === undefined ? ids : ids.filter(id => id.startsWith(prefix))
  if (found.length === 1) return found[0]!
  throw new ReleaseError(
    'USAGE',
    `${role} has ${found.length} keys ${prefix === undefined ? '' : `that begin with ${prefix}`}`,
    {
      hint: `name one with --key: ${ids.join(', ')}`,
      details: { role, keys: ids },
    },
  )
}

async function rotateApt(
  { publisher, view }: Rotation,
  options: KeysRotateOptions,
  tools: FlowTools,
): Promise<KeysRotateResult> {
  if (options.payload === undefined) assertSignable(publisher, view, ['apt'])
  const { keys } = publisher
  const { description } = view
  const known = new Set((await readAptKeys(description.aptKey)).map(({ fingerprint }) => fingerprint))
  const unused = keys.apt().find(({ fingerprint }) => !known.has(fingerprint))
  const added = unused ?? (await keys.addApt(description.name, tools.clock.nowMs()))
  const withAdded = async (before: RepositoryDescription): Promise<RepositoryDescription> => {
    const aptKey = await renderKeyring([...(await readAptKeys(before.aptKey)), added])
    return { ...before, aptKey }
  }
  if (options.payload !== undefined) {
    const payload = await targetsPayload(view, { description: await withAdded(description) }, tools)
    await writePayload(payload, { ...options, payload: options.payload }, tools)
    return { role: 'apt', added: added.fingerprint }
  }
  const edit = async (present: RepositoryView): Promise<RepositoryChange> => ({
    indexes: new Map(),
    description: await withAdded(present.description),
    resign: true,
  })
  await publishChange({ publisher, command: 'release keys rotate', edit }, tools)
  tools.emit({
    kind: 'note',
    message:
      'both OpenPGP keys sign now; drop the old one with `release keys revoke` when every machine has the new sources',
  })
  return { role: 'apt', added: added.fingerprint }
}
