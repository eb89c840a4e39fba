import { canonicalJson } from '../../core/canonical-json.ts'
import { repositoryFile } from '../../trust/layout.ts'
import { verifyRoot } from '../../trust/root.ts'
import { parseDescription } from '../description.ts'
import { readAptKeys } from '../keys/apt-keys.ts'
import { topLevelRoles } from './authority.ts'
import { type SigningPayload, unsignedRoot, unsignedTargets } from './ceremony.ts'
import type { Signatories } from './delegation.ts'
import { type Delegations, parseSigned, type TargetsFile } from './format.ts'
import { rootRoles } from './root.ts'
import { keyIdOf } from './signer.ts'

const place = 'the payload'

/** Say for people what signing a payload would change, worked out from its bytes. Errors: DOCUMENT_INVALID, TRUST_METADATA, REPOSITORY_DAMAGED. */
export async function summarise(payload: SigningPayload): Promise<readonly string[]> {
  return payload.role === 'root' ? rootSummary(payload) : await targetsSummary(payload)
}

function rootSummary({ signed, root }: SigningPayload): readonly string[] {
  const after = unsignedRoot(signed)
  const old = root === null ? undefined : verifyRoot(Buffer.from(root), place)
  const oldRoles = old === undefined ? undefined : rootRoles(old)
  const roles = rootRoles(after)
  return [
    `root ${old?.signed.version ?? 'none'} → ${after.signed.version}, valid until ${after.signed.expires}`,
    ...topLevelRoles.flatMap(role => signatoryLines(role, oldRoles?.[role], roles[role])),
  ]
}

async function targetsSummary({ signed, targets, description }: SigningPayload): Promise<readonly string[]> {
  const after = unsignedTargets(signed, place)
  const old = targets === null ? undefined : parseSigned(Buffer.from(targets), 'targets', place).signed
  const changed = targetLines(old?.targets ?? {}, after.targets)
  return [
    `targets ${old?.version ?? 'none'} → ${after.version}, valid until ${after.expires}`,
    ...changed,
    ...(changed.length > 0 && description !== null ? await descriptionLines(description) : []),
    ...delegationLines(old?.delegations, after.delegations),
  ]
}

/** What a repository is to say of itself: a digest alone tells its signer nothing. */
async function descriptionLines(text: string): Promise<readonly string[]> {
  const { schema: _, aptKey, ...settings } = parseDescription(Buffer.from(text), place)
  const aptKeys = await readAptKeys(aptKey)
  return [
    ...Object.entries(settings).map(([name, value]) => `${repositoryFile}: ${name} ${canonicalJson(value)}`),
    ...aptKeys.map(({ fingerprint }) => `${repositoryFile}: apt is signed by ${fingerprint}`),
  ]
}

function targetLines(before: TargetsFile['targets'], after: TargetsFile['targets']): readonly string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted()
  return names.flatMap(name => {
    const [old, now] = [before[name], after[name]]
    if (now === undefined) return [`${name}: not signed for any more`]
    if (old !== undefined && canonicalJson(old) === canonicalJson(now)) return []
    return [`${name}: sha256:${now.hashes['sha256']}`]
  })
}

function delegationLines(before: Delegations | undefined, after: Delegations | undefined): readonly string[] {
  const old = new Map(before?.roles.map(role => [role.name, role]))
  const now = new Map(after?.roles.map(role => [role.name, role]))
  const gone = [...old.keys()].filter(name => !now.has(name)).map(name => `${name}: not delegated any more`)
  const changed = [...now.values()].flatMap(role => {
    const was = old.get(role.name)
    const pathLine =
      was !== undefined && was.paths.join() !== role.paths.join()
        ? [`${role.name}: may sign ${role.paths.join(', ')}`]
        : []
    const lines = signatoryLines(role.name, was && keysOf(was), keysOf(role))
    return was === undefined ? [...lines, `${role.name}: may sign ${role.paths.join(', ')}`] : [...lines, ...pathLine]
  })
  return [...gone, ...changed]
}

interface KeyIds {
  readonly keyIds: readonly string[]
  readonly threshold: number
}

const keysOf = (role: { readonly keyids: readonly string[]; readonly threshold: number }): KeyIds => ({
  keyIds: role.keyids,
  threshold: role.threshold,
})

function signatoryLines(
  role: string,
  before: Signatories | KeyIds | undefined,
  after: Signatories | KeyIds,
): readonly string[] {
  const [old, now] = [before === undefined ? [] : idsOf(before), idsOf(after)]
  const lines = [
    ...now.filter(id => !old.includes(id)).map(id => `${role}: + key ${id}`),
    ...old.filter(id => !now.includes(id)).map(id => `${role}: - key ${id}`),
  ]
  if (before?.threshold === after.threshold) return lines
  return [...lines, `${role}: ${after.threshold} of ${now.length} keys must sign`]
}

function idsOf(keys: Signatories | KeyIds): readonly string[] {
  return 'keyIds' in keys ? keys.keyIds : keys.publicKeys.map(keyIdOf)
}
