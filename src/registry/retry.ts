import { ReleaseError } from '../core/error.ts'
import type { Clock } from '../sys/clock.ts'
import type { Answer } from '../sys/exchange.ts'
import { isPassingFailure, isPassingStatus, parseRetryAfter, retryDelayMs } from '../sys/retry.ts'

/** What talking to a registry needs of its surroundings. */
export interface RegistryTools {
  readonly clock: Clock
  /** Resolve after a while; rejects when the signal is aborted. */
  readonly wait: (durationMs: number, signal: AbortSignal) => Promise<void>
  /** A number from 0 up to 1, so that many clients do not come again at once. */
  readonly random: () => number
  readonly warn: (code: string, message: string) => void
  readonly signal: AbortSignal
}

/** Tell whether something failed for a reason that may pass, and not because of our own end. */
export function isPassing(caught: unknown, signal: AbortSignal): caught is ReleaseError {
  if (signal.aborted || !(caught instanceof ReleaseError)) return false
  return caught.code === 'REGISTRY_UNAVAILABLE' || isPassingFailure(caught)
}

/**
 * Make a request until its answer is not one that passes.
 *
 * Post: the last answer when every attempt was answered so. Errors: those of `attempt`; REGISTRY_UNAVAILABLE when the server asks for a wait that is too long.
 */
export async function retrying(
  tools: RegistryTools,
  attempts: number,
  attempt: () => Promise<Answer>,
): Promise<Answer> {
  for (let count = 1; ; count += 1) {
    let answer: Answer | undefined
    try {
      answer = await attempt()
      if (!isPassingStatus(answer.status) || count >= attempts) return answer
    } catch (caught) {
      if (count >= attempts || !isPassing(caught, tools.signal)) throw caught
    }
    await answer?.finish()
    await pause(tools, count, answer)
  }
}

/** Wait before the next attempt. Errors: REGISTRY_UNAVAILABLE (the server asks for too long a wait). */
export async function pause(tools: RegistryTools, attempt: number, answer?: Answer): Promise<void> {
  const retryAfterMs = parseRetryAfter(answer?.header('retry-after'), tools.clock.nowMs())
  const delayMs = retryDelayMs(attempt, retryAfterMs, tools.random())
  if (delayMs === undefined) {
    const seconds = Math.ceil((retryAfterMs ?? 0) / 1000)
    throw new ReleaseError('REGISTRY_UNAVAILABLE', `the registry asks to come again in ${seconds} s`, {
      details: { retryAfterSeconds: seconds },
    })
  }
  await tools.wait(delayMs, tools.signal)
}
