import { type Metadata, MetadataKind, type Root } from '@tufjs/models'
import { ReleaseError } from '../../core/error.ts'
import { trustError } from '../../trust/failure.ts'
import { metadataFolder } from '../../trust/layout.ts'
import { verifyRoot } from '../../trust/root.ts'
import type { TargetReader } from '../target.ts'

/** tuf-js's own limits, for what a client refuses is of no use to a publisher. */
const maxRootBytes = 512_000
const maxRotations = 256

/** The key of one root of the chain. Source: TUF §6.2. */
export const numberedRootKey = (version: number): string => `${metadataFolder}/${version}.root.json`

/** The roots from a trusted one to the newest, with the newest first. */
export interface RootChain {
  readonly newest: Metadata<Root>
  readonly older: readonly Metadata<Root>[]
  /** Those of the newest. */
  readonly bytes: Buffer
}

/**
 * Follow the chain of roots from a trusted one to the newest, as every client does.
 *
 * Errors: TRUST_SIGNATURE (a root is not signed by the one before and by itself), TRUST_ROLLBACK (its number is another), TRUST_METADATA.
 * Source: TUF §5.3.
 */
export async function walkRoots(target: TargetReader, trusted: Buffer): Promise<RootChain> {
  let newest = verifyRoot(trusted, target.name)
  let bytes = trusted
  const older: Metadata<Root>[] = []
  while (older.length < maxRotations) {
    const next = await target.get(numberedRootKey(newest.signed.version + 1), maxRootBytes)
    if (next === undefined) break
    older.unshift(newest)
    newest = followingRoot(newest, next, target.name)
    bytes = next
  }
  return { newest, older, bytes }
}

/** Check that a root follows another. Errors: TRUST_SIGNATURE, TRUST_ROLLBACK, TRUST_METADATA. Source: TUF §5.3.4, §5.3.5. */
export function followingRoot(before: Metadata<Root>, bytes: Uint8Array, place: string): Metadata<Root> {
  const root = verifyRoot(bytes, place)
  try {
    before.verifyDelegate(MetadataKind.Root, root)
  } catch (caught) {
    throw trustError(caught, place)
  }
  const expected = before.signed.version + 1
  if (root.signed.version === expected) return root
  throw new ReleaseError('TRUST_ROLLBACK', `the root after ${expected - 1} has number ${root.signed.version}`, {
    details: { place },
  })
}
