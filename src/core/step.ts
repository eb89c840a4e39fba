import { ReleaseError, toReleaseError } from './error.ts'
import type { Emit } from './event.ts'
import type { Outcome } from './outcome.ts'

/**
 * One entry of a flow's visible list.
 *
 * `run` returns its Outcome; what it throws is turned into `failed`. A required step that is skipped fails the run.
 */
export interface Step<State, Result = void> {
  readonly name: string
  readonly required: boolean
  readonly run: (state: State) => Promise<Outcome<Result>> | Outcome<Result>
}

/** What ran: in order, up to and including the first failure. */
export interface StepsReport {
  readonly outcomes: readonly { readonly step: string; readonly outcome: Outcome<unknown> }[]
}

/**
 * Run the steps in order, emitting an event at each border, and stop at the first failure by throwing its error.
 *
 * Errors: the failed step's own; STEP_REQUIRED when a required step was skipped.
 */
export async function runSteps<State>(
  steps: readonly Step<State, unknown>[],
  state: State,
  tools: { readonly emit: Emit; readonly nowMs: () => number },
): Promise<StepsReport> {
  const outcomes: { step: string; outcome: Outcome<unknown> }[] = []
  for (const step of steps) {
    const startedMs = tools.nowMs()
    tools.emit({ kind: 'step-started', step: step.name })
    const outcome = requireDone(step, await attempt(step, state))
    outcomes.push({ step: step.name, outcome })
    const durationMs = tools.nowMs() - startedMs
    switch (outcome.kind) {
      case 'done':
        tools.emit({
          kind: 'step-done',
          step: step.name,
          durationMs,
          summary: typeof outcome.value === 'string' ? outcome.value : undefined,
        })
        break
      case 'skipped':
        tools.emit({ kind: 'step-skipped', step: step.name, code: outcome.code, reason: outcome.reason })
        break
      case 'failed':
        tools.emit({ kind: 'step-failed', step: step.name, durationMs, error: outcome.error })
        throw outcome.error
    }
  }
  return { outcomes }
}

async function attempt<State>(step: Step<State, unknown>, state: State): Promise<Outcome<unknown>> {
  try {
    return await step.run(state)
  } catch (caught) {
    return { kind: 'failed', error: toReleaseError(caught) }
  }
}

function requireDone<State>(step: Step<State, unknown>, outcome: Outcome<unknown>): Outcome<unknown> {
  if (outcome.kind !== 'skipped' || !step.required) return outcome
  return {
    kind: 'failed',
    error: new ReleaseError('STEP_REQUIRED', `${step.name} cannot be left out: ${outcome.reason}`, {
      details: { step: step.name, reason: outcome.code },
    }),
  }
}

/** What an earlier step found out. Its absence is a defect in the order of the steps, hence a plain Error. */
export function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a step runs before the one that it builds on')
  return value
}
