import { afterEach } from 'vitest'
import { toReleaseError } from '../../src/core/error.ts'
import type { Door } from '../../src/gate/edge/clients.ts'
import { Front } from '../../src/gate/front/front.ts'
import type { FrontSettings } from '../../src/gate/front/settings.ts'
import { systemTimers } from '../../src/gate/machine/timers.ts'
import type { RequestRecord } from '../../src/gate/observe/observer.ts'
import { gateSettings } from './gate-settings.ts'

/** A gate before an application. */
export interface OpenGate {
  readonly front: Front
  readonly port: number
  readonly settings: FrontSettings
  /** What it told of requests. */
  readonly records: RequestRecord[]
  /** Codes of what it warned of. */
  readonly warnings: string[]
  readonly close: () => void
}

const opened: OpenGate[] = []
// Here, for a hook that is registered while a test runs is never called.
afterEach(() => {
  for (const gate of opened.splice(0)) gate.close()
})

/** Open a gate before the application on a port, until the test ends or it is closed. */
export async function openGateBefore(
  appPort: number,
  changes: Partial<FrontSettings> = {},
  door?: Door,
): Promise<OpenGate> {
  const gate = await openLastingGateBefore(appPort, changes, door)
  opened.push(gate)
  return gate
}

/** The same, until it is closed. */
export async function openLastingGateBefore(
  appPort: number,
  changes: Partial<FrontSettings> = {},
  door?: Door,
): Promise<OpenGate> {
  const settings = { ...gateSettings, ...changes }
  const warnings: string[] = []
  const records: RequestRecord[] = []
  const front = new Front({
    settings,
    timers: systemTimers,
    random: () => 0,
    closesConnections: false,
    observer: { finished: record => records.push(record) },
    warn: caught => warnings.push(toReleaseError(caught).code),
  })
  const address = await front.listen({ kind: 'address', address: { kind: 'tcp', host: '127.0.0.1', port: 0 } }, door)
  front.serviceAt({ kind: 'tcp', host: '127.0.0.1', port: appPort })
  const close = () => {
    void front.stopAccepting()
    front.closeAllConnections()
  }
  return { front, port: address.kind === 'tcp' ? address.port : 0, settings, records, warnings, close }
}
