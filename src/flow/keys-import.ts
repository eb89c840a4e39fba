import { stableJson } from '../core/canonical-json.ts'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { known } from '../core/step.ts'
import { noChange, type RepositoryChange } from '../repository/change.ts'
import { parseDescription } from '../repository/description.ts'
import { openKeys } from '../repository/keys/folder.ts'
import type { RepositoryView } from '../repository/state.ts'
import {
  assemble,
  isFollowing,
  parsePayload,
  parseSignatures,
  payloadDigest,
  type SigningPayload,
} from '../repository/tuf/ceremony.ts'
import { parseSigned } from '../repository/tuf/format.ts'
import { applicationOf } from '../repository/tuf/key-change.ts'
import { reassigned } from '../repository/tuf/metadata.ts'
import { readFile } from '../sys/files.ts'
import { applicationRole, type RepositoryDescription } from '../trust/layout.ts'
import { fileOf, indexesOf, tellPayload } from './keys-change.ts'
import { publishChange } from './publish-change.ts'
import { findClone, isFolder, keysFolder, openPublisher, type PublisherOptions } from './publisher.ts'
import { writeServerConfiguration } from './server-configuration.ts'
import type { FlowTools } from './tools.ts'

/** What was signed. */
export interface KeysImportOptions extends PublisherOptions {
  readonly payload: string
  readonly signatures: readonly string[]
}

/**
 * Put signatures to a payload and publish what was signed. The first root of all becomes the one that these keys trust; the first
 * targets begin the repository.
 *
 * Errors: TRUST_MISMATCH (signatures of something else), KEY_THRESHOLD, CEREMONY_OUTDATED (it follows another state by now), those of
 * publishing. Crash: run again.
 */
export async function importSignatures(options: KeysImportOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const file = fileOf(options, options.payload)
  const payload = parsePayload(readFile(file).toString('utf8'), file)
  const signatures = options.signatures.map(name => fileOf(options, name))
  const signed = assemble(
    payload,
    signatures.map(name => parseSignatures(readFile(name).toString('utf8'), name)),
  )
  await tellPayload(payload, tools)
  if (payload.root === null) await trustFirst(signed, options, tools)
  else await publishSigned(payload, signed, options, tools)
  tools.emit({
    kind: 'run-done',
    command: 'keys import',
    changed: true,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: payload.root === null ? `trusting ${digestOf(signed)} from now on` : `published the new ${payload.role}`,
    result: { role: payload.role, digest: payloadDigest(payload), fingerprint: digestOf(signed) },
  })
}

async function trustFirst(root: Buffer, options: KeysImportOptions, tools: FlowTools): Promise<void> {
  const folder = await keysFolder(options, await findClone(options, tools), undefined)
  const keys = openKeys(folder, { repository: undefined, create: false, environment: options.environment })
  const trusted = keys.trustedRoot()
  if (trusted !== undefined && trusted !== root.toString()) {
    throw new ReleaseError('TRUST_PIN', `${folder} trusts ${digestOf(trusted)} already, this is ${digestOf(root)}`)
  }
  keys.writeTrustedRoot(root)
}

async function publishSigned(
  payload: SigningPayload,
  signed: Buffer,
  options: KeysImportOptions,
  tools: FlowTools,
): Promise<void> {
  const description =
    payload.description === null ? undefined : parseDescription(Buffer.from(payload.description), 'the payload')
  const founding = payload.targets === null ? description : undefined
  const publisher = await openPublisher(options, await findClone(options, tools), { founding })
  const edit = async (view: RepositoryView): Promise<RepositoryChange> => {
    // The root was published before this was killed; what it wants signed anew was not.
    if (view.tuf.isRootAhead && signed.equals(view.tuf.rootBytes)) return noChange
    assertFollowing(payload, view)
    if (payload.role === 'root') return { indexes: new Map(), authority: { root: signed } }
    return {
      indexes: await indexesOf(view, signedAnew(view, signed)),
      ...described(view, known(description)),
      authority: { signedTargets: signed },
    }
  }
  await publishChange({ publisher, command: 'release keys import', edit }, tools)
  // As `release init` does where it publishes itself.
  if (description !== undefined && isFolder(publisher.place)) writeServerConfiguration(publisher.place, description)
}

/** What is signed says exactly what it takes the place of: anything else that was signed meanwhile would be lost. */
function assertFollowing(payload: SigningPayload, { tuf }: RepositoryView): void {
  if (isFollowing(payload, tuf)) return
  const { role } = payload
  const version = role === 'root' ? tuf.root.signed.version : tuf.targets.version
  throw new ReleaseError(
    'CEREMONY_OUTDATED',
    `the payload does not follow ${role} ${version}, which is published now`,
    {
      hint: 'make the payload again with the command that made it, and have that signed',
      details: { role, version },
    },
  )
}

function described(
  { tuf, description: before }: RepositoryView,
  description: RepositoryDescription,
): Pick<RepositoryChange, 'description' | 'resign'> {
  const isSame = tuf.timestamp.version > 0 && stableJson(description) === stableJson(before)
  return isSame ? {} : { description, resign: description.aptKey !== before.aptKey }
}

/** The roles that the new targets give other keys to, or that they delegate for the first time. */
function signedAnew({ tuf }: RepositoryView, signed: Buffer): readonly string[] {
  const { delegations } = parseSigned(signed, 'targets', 'the signed targets').signed
  if (delegations === undefined) return []
  const changed = reassigned(tuf, delegations).map(applicationRole)
  const fresh = delegations.roles.filter(({ name }) => tuf.snapshot.meta[`${name}.json`] === undefined)
  return [...changed, ...fresh.map(({ name }) => applicationRole(applicationOf(name)))]
}
