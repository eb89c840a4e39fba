import { ReleaseError } from '../core/error.ts'
import type { Phase } from './document.ts'
import type { Publication, PublishOp } from './plan.ts'
import type { TargetReader, TargetWriter, WriteOutcome } from './target.ts'
import { timestampKey } from './tuf/state.ts'

/** The bytes of an operation. */
export type OpenSource = (op: PublishOp) => AsyncIterable<Uint8Array>

/** What applying a phase needs. */
export interface PublishTools {
  readonly target: TargetWriter
  readonly openSource: OpenSource
  /** Told after each operation, before the next begins. */
  readonly onOp: (phase: Phase, op: PublishOp, outcome: WriteOutcome) => void
  readonly signal: AbortSignal
}

/** The operations of a phase. */
export function opsOf(publication: Publication, phase: Phase): readonly PublishOp[] {
  return publication.phases.find(planned => planned.phase === phase)?.ops ?? []
}

/**
 * Apply one phase of a plan, one operation after the other.
 *
 * Pre: the phases before it are applied, and nobody else publishes (the target's lock). Post: durable.
 * Errors: REPOSITORY_CONFLICT, REPOSITORY_CHANGED, RELEASE_DAMAGED, FILE_IO, FILE_NO_SPACE.
 * Crash: each operation was done or not; applying the same plan again goes on.
 */
export async function applyPhase(publication: Publication, phase: Phase, tools: PublishTools): Promise<void> {
  for (const op of opsOf(publication, phase)) {
    tools.signal.throwIfAborted()
    tools.onOp(phase, op, await applyOp(op, tools))
  }
  await tools.target.sync()
}

async function applyOp(op: PublishOp, { target, openSource }: PublishTools): Promise<WriteOutcome> {
  const content = {
    digest: op.digest,
    sizeBytes: op.sizeBytes,
    mediaType: op.mediaType,
    open: () => openSource(op),
    sameAs: op.source.kind === 'file' ? op.source.sameAs : undefined,
  }
  return op.kind === 'put' ? target.putNew(op.key, content) : target.replace(op.key, content, op.replaces)
}

/**
 * Read back what the pointers are about to name.
 *
 * Errors: REPOSITORY_DAMAGED with the first key whose bytes are not those that were written.
 */
export async function verifyPublished(publication: Publication, target: TargetReader): Promise<void> {
  for (const { phase, ops } of publication.phases) {
    if (phase === 'pointer') continue
    for (const op of ops) {
      const found = await target.head(op.key)
      if (found?.digest === op.digest) continue
      throw new ReleaseError(
        'REPOSITORY_DAMAGED',
        `${op.key} in ${target.name} reads back as ${found?.digest ?? 'missing'}, expected ${op.digest}`,
        { details: { key: op.key, found: found?.digest, expected: op.digest } },
      )
    }
  }
}

/** How far a publication is, seen from the target's timestamp.json. */
export type Standing =
  /** The pointers have not moved since it was planned, or it is in the middle of moving them. */
  | 'open'
  /** It is what the target shows now. */
  | 'current'
  /** Somebody published something else after it was planned. */
  | 'overtaken'

/** Compare a publication with the target. */
export async function standingOf(publication: Publication, target: TargetReader): Promise<Standing> {
  const found = (await target.head(timestampKey))?.digest
  const own = opsOf(publication, 'pointer').find(op => op.key === timestampKey)?.digest
  if (found === own) return 'current'
  return found === publication.base ? 'open' : 'overtaken'
}

/** Refuse to move pointers over somebody else's. Errors: REPOSITORY_CHANGED. */
export async function assertNotOvertaken(publication: Publication, target: TargetReader): Promise<void> {
  if ((await standingOf(publication, target)) !== 'overtaken') return
  throw new ReleaseError('REPOSITORY_CHANGED', `${target.name} was published to while this upload was under way`, {
    details: { path: target.name, base: publication.base },
  })
}
