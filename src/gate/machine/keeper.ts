import type { ReleaseError } from '../../core/error.ts'
import { toReleaseError } from '../../core/error.ts'
import type { Clock } from '../../sys/clock.ts'
import { readTextIfExists, writeFileAtomic } from '../../sys/files.ts'
import {
  type GateCommand,
  type GateState,
  gateStateText,
  initialState,
  parseGateState,
  remainingMs,
  transition,
} from './machine.ts'

export interface KeeperOptions {
  /** Where the state is kept. */
  readonly file: string
  readonly clock: Pick<Clock, 'nowMs'>
  /** Called when a mode has lasted as long as it may. The keeper stays in that mode until it is told `expire`. */
  readonly onDeadline: () => void
}

/** The longest wait that a timer takes; a mode that lasts longer is looked at again then. */
const longestTimerMs = 2 ** 31 - 1

/** Keep a gate's state: on disk before anybody acts on it, and with a watch on its deadline. */
export class Keeper {
  readonly #options: KeeperOptions
  #state: GateState
  #timer: NodeJS.Timeout | undefined
  /** Why the state that was found could not be used; the gate then begins anew, for its application must be served. */
  readonly damage: ReleaseError | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
    const found = readState(options)
    this.#state = found.state
    this.damage = found.damage
    this.#watch()
  }

  get state(): GateState {
    return this.#state
  }

  /** Change the state. Post: durable when it returns; the caller acts on it then. Errors: FILE_IO, FILE_NO_SPACE (state unchanged). */
  apply(command: GateCommand): GateState {
    const next = transition(this.#state, command, this.#options.clock.nowMs())
    if (next !== this.#state) {
      writeFileAtomic(this.#options.file, gateStateText(next), { mode: 0o600 })
      this.#state = next
    }
    this.#watch()
    return next
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  #watch(): void {
    clearTimeout(this.#timer)
    const waitMs = remainingMs(this.#state, this.#options.clock.nowMs())
    if (waitMs === undefined) return
    this.#timer = setTimeout(this.#options.onDeadline, Math.min(waitMs, longestTimerMs))
    this.#timer.unref()
  }
}

function readState({ file, clock }: KeeperOptions): { state: GateState; damage: ReleaseError | undefined } {
  const text = readTextIfExists(file)
  if (text === undefined) return { state: initialState(clock.nowMs()), damage: undefined }
  try {
    return { state: parseGateState(text, file), damage: undefined }
  } catch (caught) {
    return { state: initialState(clock.nowMs()), damage: toReleaseError(caught) }
  }
}
