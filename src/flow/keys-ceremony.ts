import path from 'node:path'
import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { type KeyFolder, openKeys } from '../repository/keys/folder.ts'
import { signingWith } from '../repository/keys/signing.ts'
import {
  ceremonyText,
  parsePayload,
  payloadDigest,
  type SigningPayload,
  signPayload,
} from '../repository/tuf/ceremony.ts'
import { followingRoot } from '../repository/tuf/root-chain.ts'
import { readFile, writeFileAtomic } from '../sys/files.ts'
import { verifyRoot } from '../trust/root.ts'
import {
  fileOf,
  type KeysOptions,
  rootPayload,
  targetsPayload,
  tellPayload,
  toBeSigned,
  withDelegated,
  writePayload,
} from './keys-change.ts'
import { findClone, openPublisher, viewOf } from './publisher.ts'
import type { FlowTools } from './tools.ts'
import { assertName } from './usable-name.ts'

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
 * Errors: USAGE (an application for the root, a name that is none), those of opening a repository.
 */
export async function exportPayload(options: KeysExportOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  if (options.role === 'root' && options.applications.length > 0) {
    throw new ReleaseError('USAGE', 'applications are delegated by targets, not by the root', {
      hint: 'write --role targets',
    })
  }
  for (const application of options.applications) {
    assertName(application, 'write --application as the recipe writes the name of the application')
  }
  const publisher = await openPublisher(options, await findClone(options, tools))
  const view = await viewOf(publisher)
  const payload =
    options.role === 'root'
      ? rootPayload(view, undefined, tools)
      : await targetsPayload(view, { delegations: withDelegated(view, publisher.keys, options.applications) }, tools)
  await writePayload(payload, options, tools)
  tools.emit({
    kind: 'run-done',
    command: 'keys export',
    changed: true,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: toBeSigned(options.payload),
    result: { payload: fileOf(options, options.payload), role: payload.role, digest: payloadDigest(payload) },
  })
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
 * The change is shown as the bytes say it. A root that this folder trusts already must be the payload's, or the one before it; the first
 * that it meets is taken as it comes, once, and shown.
 * Errors: DOCUMENT_INVALID, TRUST_PIN (the payload follows another root), KEY_MISMATCH (no key here may sign it), KEY_PASSPHRASE.
 */
export async function signPayloadFile(options: KeysSignOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const file = path.resolve(options.cwd, options.payload)
  const payload = parsePayload(readFile(file).toString('utf8'), file)
  const { environment } = options
  const keys = openKeys(path.resolve(options.cwd, options.keys), { repository: undefined, create: false, environment })
  assertKnownRoot(payload, keys)
  await tellPayload(payload, tools)
  const { signers } = signingWith(keys, { nowMs: tools.clock.nowMs() })
  const signatures = signPayload(payload, signers(payload.role))
  const output = path.resolve(options.cwd, options.output)
  writeFileAtomic(output, ceremonyText(signatures))
  rememberRoot(payload, keys, tools)
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

/** So that a machine which is broken into later cannot show changes against a root of its own. */
function rememberRoot({ root }: SigningPayload, keys: KeyFolder, { emit }: FlowTools): void {
  const trusted = keys.trustedRoot()
  if (root === null || root === trusted) return
  try {
    keys.writeTrustedRoot(Buffer.from(root))
  } catch (caught) {
    // Keys may be kept on a medium that cannot be written to: the signature is good all the same.
    const isReadOnly = caught instanceof ReleaseError && ['EROFS', 'EACCES'].includes(String(caught.details.errno))
    if (!isReadOnly) throw caught
    emit({
      kind: 'note',
      message: `${keys.folder} cannot be written to, and remembers no root: compare ${digestOf(root)} with what \`release init\` told`,
    })
    return
  }
  if (trusted !== undefined) return
  emit({
    kind: 'note',
    message: `trusting the root ${digestOf(root)} from now on: compare it with what \`release init\` told`,
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
