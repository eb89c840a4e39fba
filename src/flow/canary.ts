import type { BesideStatus } from '../gate/control/protocol.ts'
import type { AnswerFigures } from '../gate/front/flights.ts'
import type { Verdict } from './serving.ts'

/** How a version is tried out on a part of the clients. */
export interface Canary {
  readonly share: number
  readonly forMs: number
}

/** So many failed answers are chance, whatever their share. */
const chanceFailures = 2

/**
 * Judge a version by how its answers ended since it was looked at, beside those of the version before.
 *
 * Pure. Bad when the share of those that failed is beyond `failures`, from the third on.
 */
export function judgeCanary(before: BesideStatus, now: BesideStatus | undefined, failures: number): Verdict {
  if (now?.version !== before.version) return { ok: false, evidence: `${before.version} does not run any more` }
  const tried = since(before.besideAnswers, now.besideAnswers)
  const live = since(before.liveAnswers, now.liveAnswers)
  const evidence = `${tried.failures} of ${tried.answers} answers failed, of the version before ${live.failures} of ${live.answers}`
  return { ok: tried.failures <= chanceFailures || tried.failures <= failures * tried.answers, evidence }
}

function since(before: AnswerFigures, now: AnswerFigures): AnswerFigures {
  return { answers: now.answers - before.answers, failures: now.failures - before.failures }
}
