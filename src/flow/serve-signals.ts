import { toReleaseError } from '../core/error.ts'
import type { ControlRequest, ControlResponse } from '../gate/control/protocol.ts'
import { isOperators } from '../gate/machine/machine.ts'
import { onSignals } from '../sys/signals.ts'
import type { FlowTools } from './tools.ts'

/** A serving process, as far as signals go. */
export interface SignalledSession {
  readonly handle: (request: ControlRequest) => Promise<ControlResponse>
  /** Read certificates again, and go on in new files of logs. */
  readonly reload: () => Promise<void>
}

/** What a signal asks for, for whoever has no control socket at hand: an operator's word, as `cutover gate` says it. */
const modes = { SIGTSTP: 'hold', SIGCONT: 'pass', SIGTTIN: 'backoff', SIGWINCH: 'drain' } as const

type ModeSignal = keyof typeof modes

/** Obey signals of a serving process until it is disposed; what they come to is told. */
export function obeySignals(session: SignalledSession, { emit, signal: ending }: FlowTools): Disposable {
  const obey = async (signal: NodeJS.Signals) => {
    try {
      if (signal === 'SIGHUP') await session.reload()
      else if (signal === 'SIGUSR2') await session.handle({ kind: 'upgrade' })
      else await changeMode(session, signal as ModeSignal)
      emit({ kind: 'note', message: `obeyed ${signal}` })
    } catch (caught) {
      const { code, message } = toReleaseError(caught)
      if (!ending.aborted) emit({ kind: 'warning', code, message: `${signal} could not be obeyed: ${message}` })
    }
  }
  // A moment later: systemd sends SIGCONT beside the SIGTERM that ends us, and nothing may pass because of that.
  const later = (signal: NodeJS.Signals) => void setImmediate(() => ending.aborted || void obey(signal))
  return onSignals([...(Object.keys(modes) as ModeSignal[]), 'SIGHUP', 'SIGUSR2'], later)
}

/** SIGCONT takes back what a person asked for only: shells send it too, and what an installer holds may not be ready. */
async function changeMode(session: SignalledSession, signal: ModeSignal): Promise<void> {
  if (signal === 'SIGCONT') {
    const now = await session.handle({ kind: 'status' })
    if (!now.ok || !isOperators(now.status.gate)) return
  }
  await session.handle({ kind: 'gate', mode: modes[signal], reason: signal, by: 'operator' })
}
