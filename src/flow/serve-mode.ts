import type { ControlRequest } from '../gate/control/protocol.ts'
import type { DrainLimits } from '../gate/front/flights.ts'
import { type GateCommand, longestModeMs } from '../gate/machine/machine.ts'
import type { GateKind, RecipeGate } from '../recipe/schema.ts'

type RequestOf<Kind extends ControlRequest['kind']> = Extract<ControlRequest, { readonly kind: Kind }>

/** How long a mode lasts where neither who asks for it nor a recipe says so. */
const defaultModeMs = 60_000

/** How long a soft phase lasts that a person begins without saying so, where the recipe has none. */
const defaultSoftMs = 300_000

/** Say what a request to change the mode means for the gate of a release; `gate` is what its recipe says, undefined when none runs. */
export function gateCommand(request: RequestOf<'gate'>, gate: RecipeGate | undefined): GateCommand {
  const { mode, reason, by = 'installer' } = request
  if (mode === 'pass') return { kind: 'pass', reason, by }
  const lastsMs = Math.min(request.deadlineMs ?? gate?.hold.deadline ?? defaultModeMs, longestModeMs)
  const entered = { kind: 'enter', mode, reason, lastsMs, by } as const
  return gate === undefined ? entered : { ...entered, afterwards: gate.hold.afterwards }
}

/** Say what a request for the soft phase means for the gate of a release. */
export function softenCommand(request: RequestOf<'soften'>, gate: RecipeGate | undefined): GateCommand {
  const { reason, by = 'installer' } = request
  const recipeMs = gate?.soft.for ?? 0
  const lastsMs = Math.min(request.lastsMs ?? (recipeMs > 0 ? recipeMs : defaultSoftMs), longestModeMs)
  return { kind: 'soften', reason, lastsMs, share: request.share ?? gate?.soft.share ?? 1, by }
}

/** What was done to requests since they last passed. */
export interface TurnedAway {
  readonly kind: GateKind
  /** How many were turned away. */
  readonly count: number
  readonly gate: RecipeGate | undefined
}

/** Have a command that lets requests pass begin the recovery that a recipe wants for those who were turned away and come back together. */
export function withRecovery(command: GateCommand, { kind, count, gate }: TurnedAway): GateCommand {
  // Only what goes through us, or can be made to, can be let in one by one.
  if (command.kind !== 'pass' || kind === 'handover' || count === 0 || gate === undefined) return command
  const { for: lastsMs, perSecond } = gate.recovery
  return lastsMs > 0 ? { ...command, recovery: { lastsMs, perSecond } } : command
}

/** Say what a recipe wants of a drain. */
export function drainLimits({ timeout, streams, spread }: RecipeGate['drain']): DrainLimits {
  return { timeoutMs: timeout, streamsMs: streams, spreadMs: spread }
}
