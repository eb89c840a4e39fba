import { ReleaseError } from '../core/error.ts'
import { renderKeyring } from '../repository/apt/sign.ts'
import { noChange, type RepositoryChange } from '../repository/change.ts'
import { readAptKeys } from '../repository/keys/apt-keys.ts'
import type { KeyFolder } from '../repository/keys/folder.ts'
import type { RepositoryView } from '../repository/state.ts'
import { topLevelRoles } from '../repository/tuf/authority.ts'
import type { Signatories } from '../repository/tuf/delegation.ts'
import { rolesOf, type SignatoryChange, signatoriesOf, withKey, withoutKey } from '../repository/tuf/key-change.ts'
import { keyIdOf } from '../repository/tuf/signer.ts'
import type { TufState } from '../repository/tuf/state.ts'
import type { RepositoryDescription } from '../trust/layout.ts'
import {
  assertSignable,
  exportSignatories,
  type KeysOptions,
  publishSignatories,
  targetsPayload,
  toBeSigned,
  writePayload,
} from './keys-change.ts'
import { publishChange } from './publish-change.ts'
import { findClone, openPublisher, type Publisher, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** Which key to trust no more. */
export interface KeysRevokeOptions extends KeysOptions {
  /** The key id, or the fingerprint of an OpenPGP key: at least its first eight digits. */
  readonly key: string
  /** Put a new key in its place in the same breath. */
  readonly replace: boolean
}

/** What a revocation came to. */
export interface KeysRevokeResult {
  readonly revoked: string
  readonly roles: readonly string[]
}

/**
 * Trust a key no more, at once: whatever it signs from now on is refused by every client that has seen the new root or targets.
 *
 * The file of the key goes into `revoked/` of the keys folder. Errors: USAGE (no such key; fewer would be left than must sign), KEY_*,
 * those of publishing. Crash: run again; whatever is published next ends it, too.
 */
export async function revokeKey(options: KeysRevokeOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const publisher = await openPublisher(options, await findClone(options, tools))
  const view = await endedView(publisher, tools)
  const revoked = await findKey(view, publisher.keys, options.key)
  const roles = await rolesTrusting(view, revoked)
  if (options.payload === undefined) assertSignable(publisher, view, roles)
  const isExported = options.payload !== undefined && roles.length > 0
  if (roles.includes('apt')) await revokeApt({ publisher, revoked }, options, tools)
  else if (roles.length > 0) await revokeTuf({ publisher, revoked, roles }, options, tools)
  // What is only written down is not revoked yet: until it is, the key signs on.
  const isPutAside = !isExported && publisher.keys.retire(revoked)
  tools.emit({
    kind: 'run-done',
    command: 'keys revoke',
    changed: isPutAside || (!isExported && roles.length > 0),
    durationMs: tools.clock.elapsedMs() - startedMs,
    message:
      options.payload !== undefined && isExported ? toBeSigned(options.payload) : `${revoked} is trusted no more`,
    result: { revoked, roles } satisfies KeysRevokeResult,
  })
}

/** A view behind which no root waits for what it wants signed anew. */
async function endedView(publisher: Publisher, tools: FlowTools): Promise<RepositoryView> {
  const view = await viewOf(publisher)
  if (!view.tuf.isRootAhead) return view
  await publishChange({ publisher, command: 'release keys revoke', edit: async () => noChange }, tools)
  return await viewOf(publisher)
}

/** A key that is only in the folder was revoked by a run that was killed before it put the key aside. */
async function findKey(view: RepositoryView, keys: KeyFolder, prefix: string): Promise<string> {
  const { tuf } = view
  const roles = [...topLevelRoles, ...tuf.targets.delegations.roles.map(({ name }) => name)]
  const tufIds = roles.flatMap(role => signatoriesOf(tuf, role).publicKeys.map(keyIdOf))
  const here = roles.flatMap(role => keys.tuf(role).map(({ keyId }) => keyId))
  const aptHere = keys.aptPlaces().map(({ fingerprint }) => fingerprint)
  const all = [...tufIds, ...here, ...(await aptIdsOf(view)), ...aptHere]
  const found = [...new Set(all)].filter(id => id.startsWith(prefix))
  if (found.length === 1 && prefix.length >= 8) return found[0]!
  throw new ReleaseError('USAGE', `${found.length} keys of the repository begin with ${JSON.stringify(prefix)}`, {
    hint: 'give at least eight digits of one key; `release keys list` shows them',
    details: { keys: found },
  })
}

async function aptIdsOf({ description }: RepositoryView): Promise<readonly string[]> {
  return (await readAptKeys(description.aptKey)).map(({ fingerprint }) => fingerprint)
}

/** The roles that a key signs for, `apt` among them. */
async function rolesTrusting(view: RepositoryView, id: string): Promise<readonly string[]> {
  const isApt = (await aptIdsOf(view)).includes(id)
  return isApt ? ['apt'] : rolesOf(view.tuf, id)
}

interface Revocation {
  readonly publisher: Publisher
  readonly revoked: string
  readonly roles: readonly string[]
}

async function revokeTuf(
  { publisher, revoked, roles }: Revocation,
  options: KeysRevokeOptions,
  tools: FlowTools,
): Promise<void> {
  const replacements = new Map<string, string>()
  if (options.replace) {
    const { tuf } = await viewOf(publisher)
    for (const role of roles) replacements.set(role, replacement(publisher.keys, role, signatoriesOf(tuf, role)))
  }
  const edit = (state: TufState): SignatoryChange =>
    new Map(
      roles.map(role => {
        const added = replacements.get(role)
        const before = signatoriesOf(state, role)
        return [role, withoutKey(role, added === undefined ? before : withKey(before, added), revoked)]
      }),
    )
  const work = { publisher, command: 'release keys revoke', edit }
  if (options.payload === undefined) await publishSignatories(work, tools)
  else await exportSignatories(work, { ...options, payload: options.payload }, tools)
}

function replacement(keys: KeyFolder, role: string, before: Signatories): string {
  const unused = keys.tuf(role).find(({ publicKey }) => !before.publicKeys.includes(publicKey))
  return (unused ?? keys.addTuf(role)).publicKey
}

async function revokeApt(
  { publisher, revoked }: Omit<Revocation, 'roles'>,
  options: KeysRevokeOptions,
  tools: FlowTools,
): Promise<void> {
  const without = async (before: RepositoryDescription): Promise<RepositoryDescription> => {
    const left = (await readAptKeys(before.aptKey)).filter(({ fingerprint }) => fingerprint !== revoked)
    return { ...before, aptKey: await renderKeyring(left) }
  }
  if (publisher.keys.apt().every(({ fingerprint }) => fingerprint === revoked)) {
    throw new ReleaseError('USAGE', `without ${revoked} nothing would sign for apt`, {
      hint: 'run: release keys rotate apt',
    })
  }
  if (options.payload !== undefined) {
    const view = await viewOf(publisher)
    const payload = await targetsPayload(view, { description: await without(view.description) }, tools)
    await writePayload(payload, { ...options, payload: options.payload }, tools)
    return
  }
  const edit = async ({ description }: RepositoryView): Promise<RepositoryChange> => ({
    indexes: new Map(),
    description: await without(description),
    resign: true,
  })
  await publishChange({ publisher, command: 'release keys revoke', edit }, tools)
}
