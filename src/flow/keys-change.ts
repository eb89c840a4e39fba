import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import type { RepositoryChange } from '../repository/change.ts'
import { descriptionBytes } from '../repository/description.ts'
import { descriptionTarget } from '../repository/documents.ts'
import type { KeyFolder } from '../repository/keys/folder.ts'
import type { RepositoryView } from '../repository/state.ts'
import { delegatedAuthority, rootAuthority } from '../repository/tuf/authority.ts'
import {
  ceremonyText,
  payloadDigest,
  rootPayloadOf,
  type SigningPayload,
  targetsPayloadOf,
} from '../repository/tuf/ceremony.ts'
import type { Signatories } from '../repository/tuf/delegation.ts'
import type { Delegations } from '../repository/tuf/format.ts'
import {
  applicationOf,
  changedDelegations,
  changedRoot,
  isTopLevel,
  type SignatoryChange,
} from '../repository/tuf/key-change.ts'
import { targetsPart } from '../repository/tuf/metadata.ts'
import { nextRoot, type RootRoles, rootPart, rootRoles } from '../repository/tuf/root.ts'
import { trustedSigners } from '../repository/tuf/signer.ts'
import { freeVersions, type TufState } from '../repository/tuf/state.ts'
import { summarise } from '../repository/tuf/summary.ts'
import { writeFileAtomic } from '../sys/files.ts'
import { applicationRole, type ReleaseIndex, type RepositoryDescription } from '../trust/layout.ts'
import { publishChange } from './publish-change.ts'
import { type Publisher, type PublisherOptions, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What the commands about keys have in common. */
export interface KeysOptions extends PublisherOptions {
  /** Write what is to be signed into this file, for keys that are kept offline, and publish nothing. */
  readonly payload?: string | undefined
}

/** A change of who signs: published, or written down to be signed. */
export interface SignatoryWork {
  readonly publisher: Publisher
  readonly command: string
  /** Says what is to change of a state; it is asked again when somebody else was faster. Errors: USAGE. */
  readonly edit: (state: TufState) => SignatoryChange
}

/** The role that a person means: one of the four, or that of an application. */
export function roleNamed(name: string): string {
  return isTopLevel(name) || name.startsWith(applicationRole('')) ? name : applicationRole(name)
}

/**
 * Publish who signs from now on, signed by the keys at hand.
 *
 * Errors: KEY_THRESHOLD and KEY_MISSING name the ceremony; those of publishing. Crash: run again.
 */
export async function publishSignatories({ publisher, command, edit }: SignatoryWork, tools: FlowTools): Promise<void> {
  const change = async (view: RepositoryView): Promise<RepositoryChange> => {
    const signatories = edit(view.tuf)
    const { roots, delegations } = changedParts(view.tuf, signatories)
    const signing = publisher.signing({
      nowMs: tools.clock.nowMs(),
      lifetimesDays: view.description.lifetimesDays,
    })
    return {
      indexes: await indexesOf(view, signatories.keys()),
      authority: {
        ...(roots === undefined ? {} : { root: nextRoot(view.tuf.root, roots, signing) }),
        ...(delegations === undefined ? {} : { delegations }),
      },
    }
  }
  await publishChange({ publisher, command, edit: change }, tools)
}

/** See to it that the keys here can sign a change of roles, before any key is made for it. Errors: KEY_*, naming the ceremony. */
export function assertSignable(
  { signing }: Publisher,
  { tuf, description }: RepositoryView,
  roles: readonly string[],
): void {
  const { signers } = signing({ nowMs: 0, lifetimesDays: description.lifetimesDays })
  const changing = new Set(roles.map(role => (isTopLevel(role) ? 'root' : 'targets')))
  for (const role of changing) trustedSigners(rootAuthority(tuf.root, role), { signers })
}

/** Write down a change of who signs, to be signed elsewhere. Errors: USAGE (it concerns root and targets at once). */
export async function exportSignatories(
  { publisher, edit }: SignatoryWork,
  ceremony: Ceremony,
  tools: FlowTools,
): Promise<void> {
  const view = await viewOf(publisher)
  const { roots, delegations } = changedParts(view.tuf, edit(view.tuf))
  if (roots !== undefined && delegations !== undefined) {
    throw new ReleaseError('USAGE', 'this changes both root and targets, which are signed one after the other', {
      hint: 'name the role',
    })
  }
  const payload =
    roots === undefined ? await targetsPayload(view, { delegations }, tools) : rootPayload(view, roots, tools)
  await writePayload(payload, ceremony, tools)
}

/** What a root that follows is to say; the roles that it has when `roots` is absent. */
export function rootPayload(
  { tuf, description }: RepositoryView,
  roots: RootRoles | undefined,
  tools: FlowTools,
): SigningPayload {
  const clocked = { nowMs: tools.clock.nowMs(), lifetimesDays: description.lifetimesDays }
  const part = rootPart(tuf.root.signed.version + 1, roots ?? rootRoles(tuf.root), clocked)
  return rootPayloadOf(part, tuf)
}

/** What top-level targets say beside their date; what is absent is as it was. */
export interface TargetsChange {
  readonly description?: RepositoryDescription | undefined
  readonly delegations?: Delegations | undefined
}

/** What top-level targets that follow are to say. Source: `makeTargets` of a publication lists the same. */
export async function targetsPayload(
  { tuf, target, ...before }: RepositoryView,
  { description = before.description, delegations = tuf.targets.delegations }: TargetsChange,
  tools: FlowTools,
): Promise<SigningPayload> {
  const part = targetsPart({
    version: await freeVersions(target)(['targets'], tuf.targets.version),
    targets: [descriptionTarget(description).target],
    delegations,
    signing: { nowMs: tools.clock.nowMs(), lifetimesDays: description.lifetimesDays },
  })
  return targetsPayloadOf(part, descriptionBytes(description), tuf)
}

/** Delegate applications that are not yet to the keys here, which are made when there are none; undefined when all are. */
export function withDelegated(
  { tuf }: RepositoryView,
  keys: KeyFolder,
  applications: readonly string[],
): Delegations | undefined {
  const roles = applications.map(applicationRole).filter(role => !delegatedAuthority(tuf.targets.delegations, role))
  const signatories = (role: string): Signatories => ({
    publicKeys: keys.ensureTuf(role).map(({ publicKey }) => publicKey),
    threshold: 1,
  })
  return changedDelegations(tuf, new Map(roles.map(role => [role, signatories(role)])))
}

/** Where a payload is written, and the flags that bring it back. */
export type Ceremony = Pick<KeysOptions, 'cwd' | 'repository' | 'keys'> & { readonly payload: string }

/** Store a payload, show what it changes and say how it goes on. */
export async function writePayload(
  payload: SigningPayload,
  { cwd, payload: file, repository, keys }: Ceremony,
  tools: FlowTools,
): Promise<void> {
  writeFileAtomic(path.resolve(cwd, file), ceremonyText(payload))
  await tellPayload(payload, tools)
  const signatures = `${path.basename(file, path.extname(file))}.sig`
  const flags = Object.entries({ repository, keys }).map(([flag, value]) =>
    value === undefined ? '' : ` --${flag} ${value}`,
  )
  tools.emit({
    kind: 'note',
    message: `where the keys of ${payload.role} are: release keys sign ${path.basename(file)} --keys DIR -o ${signatures}`,
  })
  tools.emit({ kind: 'note', message: `then, here: release keys import ${file} ${signatures}${flags.join('')}` })
}

/** What a command that wrote a payload ends with. */
export const toBeSigned = (file: string): string => `${file} is to be signed; nothing is published`

/** Show what signing a payload changes, and the digest that is compared on both machines. */
export async function tellPayload(payload: SigningPayload, { emit }: FlowTools): Promise<void> {
  const lines = await summarise(payload)
  emit({
    kind: 'table',
    title: `To be signed: ${payload.role}`,
    columns: ['What changes'],
    rows: lines.map(line => [line]),
  })
  emit({ kind: 'note', message: `compare on both machines: ${payloadDigest(payload)}` })
}

/** The lists of the applications among some roles: they are signed anew by their new keys. */
export async function indexesOf(
  view: RepositoryView,
  roles: Iterable<string>,
): Promise<ReadonlyMap<string, ReleaseIndex>> {
  const indexes = new Map<string, ReleaseIndex>()
  for (const role of roles) {
    if (!isTopLevel(role)) indexes.set(applicationOf(role), await view.index(applicationOf(role)))
  }
  return indexes
}

/** Find a file that an option names. */
export const fileOf = ({ cwd }: KeysOptions, file: string): string => path.resolve(cwd, file)

function changedParts(state: TufState, signatories: SignatoryChange) {
  return { roots: changedRoot(state, signatories), delegations: changedDelegations(state, signatories) }
}
