import path from 'node:path'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { KeyFolder } from '../repository/keys/folder.ts'
import { openKeys } from '../repository/keys/folder.ts'
import { signingWith } from '../repository/keys/signing.ts'
import type { RepositoryView } from '../repository/state.ts'
import { delegatedAuthority } from '../repository/tuf/authority.ts'
import {
  assemble,
  ceremonyText,
  parsePayload,
  parseSignatures,
  payloadDigest,
  type SigningPayload,
  signPayload,
} from '../repository/tuf/ceremony.ts'
import type { Signatories } from '../repository/tuf/delegation.ts'
import { parseSigned } from '../repository/tuf/format.ts'
import { applicationOf, changedDelegations } from '../repository/tuf/key-change.ts'
import { reassigned } from '../repository/tuf/metadata.ts'
import { followingRoot } from '../repository/tuf/root-chain.ts'
import { readFile, writeFileAtomic } from '../sys/files.ts'
import { applicationRole } from '../trust/layout.ts'
import { verifyRoot } from '../trust/root.ts'
import {
  fileOf,
  indexesOf,
  type KeysOptions,
  rootPayload,
  targetsPayload,
  tellPayload,
  writePayload,
} from './keys-change.ts'
import { publishChange } from './publish-change.ts'
import { findClone, keysFolder, openPublisher, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What to write down to be signed. */
export interface KeysExportOptions extends KeysOptions {
  readonly role: 'root' | 'targets'
  readonly payload: string
  /** Applications that are to be delegated to keys of their own, which are here or are made here. */
  readonly applications: readonly string[]
}

/**
 * Write down the next root or targets, with a new date, to be signed where their keys are.
 *
 * Errors: USAGE (an application for the root), those of opening a repository.
 */
export async function exportPayload(options: KeysExportOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  if (options.role === 'root' && options.applications.length > 0) {
    throw new ReleaseError('USAGE', 'applications are delegated by targets, not by the root', {
      hint: 'write --role targets',
    })
  }
  const publisher = await openPublisher(options, await findClone(options, tools))
  const view = await viewOf(publisher)
  const payload =
    options.role === 'root'
      ? rootPayload(view, undefined, tools)
      : await targetsPayload(view, withNew(view, publisher.keys, options.applications), tools)
  const file = fileOf(options, options.payload)
  writePayload(payload, file, tools)
  tools.emit({
    kind: 'run-done',
    command: 'keys export',
    changed: true,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${file} is to be signed: release keys sign`,
    result: { payload: file, role: payload.role, digest: payloadDigest(payload) },
  })
}

function withNew({ tuf }: RepositoryView, keys: KeyFolder, applications: readonly string[]) {
  const roles = applications.map(applicationRole).filter(role => !delegatedAuthority(tuf.targets.delegations, role))
  const signatories = (role: string): Signatories => ({
    publicKeys: keys.ensureTuf(role).map(({ publicKey }) => publicKey),
    threshold: 1,
  })
  return changedDelegations(tuf, new Map(roles.map(role => [role, signatories(role)])))
}

/** What to sign. */
export interface KeysSignOptions {
  readonly cwd: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly payload: string
  readonly keys: string
  readonly output: string
}

/**
 * Sign a payload with the keys of a folder, far from any repository.
 *
 * The change is shown as the bytes say it. A root that this folder trusts already must be the payload's, or the one before it.
 * Errors: DOCUMENT_INVALID, TRUST_PIN (the payload follows another root), KEY_MISMATCH (no key here may sign it), KEY_PASSPHRASE.
 */
export async function signPayloadFile(options: KeysSignOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const file = path.resolve(options.cwd, options.payload)
  const payload = parsePayload(readFile(file).toString('utf8'), file)
  const { environment } = options
  const keys = openKeys(path.resolve(options.cwd, options.keys), { repository: undefined, create: false, environment })
  assertKnownRoot(payload, keys)
  tellPayload(payload, tools)
  const { signers } = signingWith(keys, { nowMs: tools.clock.nowMs() })
  const signatures = signPayload(payload, signers(payload.role))
  const output = path.resolve(options.cwd, options.output)
  writeFileAtomic(output, ceremonyText(signatures))
  tools.emit({
    kind: 'run-done',
    command: 'keys sign',
    changed: true,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `signed ${payloadDigest(payload)}: ${output}`,
    result: {
      output,
      role: payload.role,
      digest: payloadDigest(payload),
      keys: signatures.signatures.map(({ keyid }) => keyid),
    },
  })
}

/** An exporting machine that was broken into would show changes against a root of its own. */
function assertKnownRoot({ root }: SigningPayload, keys: KeyFolder): void {
  const trusted = keys.trustedRoot()
  if (trusted === undefined || trusted === root) return
  const known = verifyRoot(Buffer.from(trusted), keys.folder)
  const version = root === null ? 0 : verifyRoot(Buffer.from(root), 'the payload').signed.version
  if (root !== null && version === known.signed.version + 1) {
    followingRoot(known, Buffer.from(root), 'the payload')
    return
  }
  throw new ReleaseError(
    'TRUST_PIN',
    `the payload follows root ${version}, ${root === null ? '' : digestOf(root)}; trusted here is ${known.signed.version}, ${digestOf(trusted)}`,
    {
      hint: `if the root was changed since, compare its fingerprint with the vendor's and put it into ${keys.folder}/trusted-root.json`,
      details: { found: version, expected: known.signed.version },
    },
  )
}

/** What was signed. */
export interface KeysImportOptions extends KeysOptions {
  readonly payload: string
  readonly signatures: readonly string[]
}

/**
 * Put signatures to a payload and publish what was signed. The first root of all becomes the one that these keys trust.
 *
 * Errors: TRUST_MISMATCH (signatures of something else), KEY_THRESHOLD, REPOSITORY_CHANGED (it follows another state by now), those of
 * publishing.
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
  tellPayload(payload, tools)
  if (payload.root === null) await trustFirst(signed, options, tools)
  else await publishSigned(payload.role, signed, options, tools)
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
  const folder = await keysFolder(options, await findClone(options, tools), 'default')
  const keys = openKeys(folder, { repository: undefined, create: true, environment: options.environment })
  const trusted = keys.trustedRoot()
  if (trusted !== undefined && trusted !== root.toString()) {
    throw new ReleaseError('TRUST_PIN', `${folder} trusts ${digestOf(trusted)} already, this is ${digestOf(root)}`)
  }
  keys.writeTrustedRoot(root)
}

async function publishSigned(
  role: SigningPayload['role'],
  signed: Buffer,
  options: KeysImportOptions,
  tools: FlowTools,
): Promise<void> {
  const publisher = await openPublisher(options, await findClone(options, tools))
  await publishChange(
    {
      publisher,
      command: 'release keys import',
      edit: async view => {
        if (role === 'root') return { indexes: new Map(), authority: { root: signed } }
        return { indexes: await indexesOf(view, signedAnew(view, signed)), authority: { signedTargets: signed } }
      },
    },
    tools,
  )
}

/** The roles that the new targets give other keys to, or that they delegate for the first time. */
function signedAnew({ tuf }: RepositoryView, signed: Buffer): readonly string[] {
  const { delegations } = parseSigned(signed, 'targets', 'the signed targets').signed
  if (delegations === undefined) return []
  const changed = reassigned(tuf, delegations).map(applicationRole)
  const fresh = delegations.roles.filter(({ name }) => tuf.snapshot.meta[`${name}.json`] === undefined)
  return [...changed, ...fresh.map(({ name }) => applicationRole(applicationOf(name)))]
}
