import { type Digest, Digester } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import { eachInParallel } from '../sys/parallel.ts'
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
  /** Told after each operation; in the pointer phase, before the next begins. */
  readonly onOp: (phase: Phase, op: PublishOp, outcome: WriteOutcome) => void
  /** Told of bytes on their way: how many of an operation have gone. */
  readonly onBytes?: (op: PublishOp, doneBytes: number) => void
  readonly signal: AbortSignal
}

/** The operations of a phase. */
export function opsOf(publication: Publication, phase: Phase): readonly PublishOp[] {
  return publication.phases.find(planned => planned.phase === phase)?.ops ?? []
}

/** Whether an operation may run while others publish: it makes a name that nobody else has, and never takes anything away. */
export const isAdding = (op: PublishOp): boolean => op.kind === 'put'

/**
 * Apply the operations of one phase: pointers one after the other in their order, the others several at a time.
 *
 * Pre: the phases before it are applied; the lease is held unless all of `ops` only add. Post: durable.
 * Errors: REPOSITORY_CONFLICT, REPOSITORY_CHANGED, RELEASE_DAMAGED, FILE_IO, FILE_NO_SPACE.
 * Crash: each operation was done or not; applying the same plan again goes on.
 */
export async function applyPhase(phase: Phase, ops: readonly PublishOp[], tools: PublishTools): Promise<void> {
  if (phase === 'pointer') await applyInOrder(phase, ops, tools)
  else {
    // What shares the bytes of another key waits until these are there.
    for (const wave of [ops.filter(op => op.source.sameAs === undefined), ops.filter(op => op.source.sameAs)]) {
      await applyTogether(phase, wave, tools)
    }
  }
  await tools.target.sync()
}

async function applyInOrder(phase: Phase, ops: readonly PublishOp[], tools: PublishTools): Promise<void> {
  for (const op of ops) {
    tools.signal.throwIfAborted()
    tools.onOp(phase, op, await applyOp(op, tools))
  }
}

async function applyTogether(phase: Phase, ops: readonly PublishOp[], tools: PublishTools): Promise<void> {
  const stop = new AbortController()
  const signal = AbortSignal.any([tools.signal, stop.signal])
  const parallelism = tools.target.parallelism
  await eachInParallel(ops, { parallelism, stop: reason => stop.abort(reason) }, async op => {
    signal.throwIfAborted()
    tools.onOp(phase, op, await applyOp(op, { ...tools, signal }))
  })
}

async function applyOp(op: PublishOp, { target, openSource, onBytes, signal }: PublishTools): Promise<WriteOutcome> {
  const content = {
    digest: op.digest,
    sizeBytes: op.sizeBytes,
    mediaType: op.mediaType,
    open: () => openSource(op),
    sameAs: op.source.sameAs,
    onBytes: (doneBytes: number) => onBytes?.(op, doneBytes),
    signal,
  }
  return op.kind === 'put' ? target.putNew(op.key, content) : target.replace(op.key, content, op.replaces)
}

/**
 * Fetch again, as a client would, what the pointers are about to name.
 *
 * Errors: REPOSITORY_DAMAGED with the first key whose bytes are not those that were written.
 */
export async function verifyPublished(
  publication: Publication,
  target: TargetWriter,
  tools: Pick<PublishTools, 'signal'> & { readonly onKey?: (key: string, sizeBytes: number) => void },
): Promise<void> {
  const ops = publication.phases.filter(({ phase }) => phase !== 'pointer').flatMap(planned => planned.ops)
  const stop = new AbortController()
  const signal = AbortSignal.any([tools.signal, stop.signal])
  const { parallelism } = target
  await eachInParallel(ops, { parallelism, stop: reason => stop.abort(reason) }, async op => {
    signal.throwIfAborted()
    // What shares the bytes of a key that is fetched under its own name need not come twice.
    const isShared = op.source.sameAs !== undefined
    const found = isShared ? (await target.head(op.key))?.digest : await fetchDigest(target, op.key, signal)
    if (found !== op.digest) {
      await assertNotOvertaken(publication, target)
      throw new ReleaseError(
        'REPOSITORY_DAMAGED',
        `${op.key} in ${target.name} reads back as ${found ?? 'missing'}, expected ${op.digest}`,
        { details: { key: op.key, found, expected: op.digest } },
      )
    }
    tools.onKey?.(op.key, op.sizeBytes)
  })
}

async function fetchDigest(target: TargetReader, key: string, signal: AbortSignal): Promise<Digest | undefined> {
  const digester = new Digester()
  try {
    for await (const piece of target.read(key, signal)) digester.update(piece)
  } catch (caught) {
    if (caught instanceof ReleaseError && caught.code === 'REPOSITORY_DAMAGED') return undefined
    throw caught
  }
  return digester.digest()
}

/** Remove what nobody follows once the pointers have moved, several keys at a time. Crash: the next publication removes the rest. */
export async function sweep(publication: Publication, target: TargetWriter): Promise<void> {
  const { parallelism } = target
  await eachInParallel(publication.sweep, { parallelism, stop: () => {} }, key => target.remove(key))
  await target.sync()
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
