import http from 'node:http'
import type net from 'node:net'
import { onTestFinished } from 'vitest'
import { Front, type FrontOptions } from '../../src/gate/front/front.ts'
import { frontSettings, type ReleaseParts } from '../../src/gate/front/settings.ts'
import { systemTimers } from '../../src/gate/machine/timers.ts'
import type { RequestRecord } from '../../src/gate/observe/observer.ts'
import { gate as gateSchema } from '../../src/recipe/schema/gate.ts'
import { until } from './toy-prefix.ts'

/** An application made in a test, with a gate's data path before it; both end with the test. */
export interface FrontedApp {
  readonly front: Front
  readonly port: number
  readonly url: string
  /** What the observer was told of requests that have ended. */
  readonly records: readonly RequestRecord[]
  /** Have the application accept where it is, or say that it is away. */
  readonly appAccepts: (accepts: boolean) => void
  /** Wait until so many requests wait. */
  readonly held: (count: number) => Promise<unknown>
}

/** Make them. `gate` is what a recipe would say. Post: requests are passed on. */
export async function frontedApp(
  app: http.RequestListener,
  gate: object = {},
  { parts = {}, ...more }: Partial<Pick<FrontOptions, 'random' | 'timers'>> & { readonly parts?: ReleaseParts } = {},
): Promise<FrontedApp> {
  const server = http.createServer(app)
  const appPort = await new Promise<number>(resolve =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port)),
  )
  const records: RequestRecord[] = []
  const front = new Front({
    settings: frontSettings(gateSchema.parse(gate), parts),
    timers: systemTimers,
    random: () => 0,
    closesConnections: false,
    observer: { finished: record => records.push(record) },
    ...more,
  })
  onTestFinished(() => {
    void front.stopAccepting()
    front.closeAllConnections()
    front.serviceAbsent()
    server.close()
    server.closeAllConnections()
  })
  const address = await front.listen({ kind: 'address', address: { kind: 'tcp', host: '127.0.0.1', port: 0 } })
  const port = address.kind === 'tcp' ? address.port : 0
  const appAccepts = (accepts: boolean) => {
    if (accepts) front.serviceAt({ kind: 'tcp', host: '127.0.0.1', port: appPort })
    else front.serviceExpected()
  }
  appAccepts(true)
  await until(async () => front.sides.live.service.state === 'up')
  const held = (count: number) => until(async () => front.counters().heldNow === count)
  return { front, port, url: `http://127.0.0.1:${port}`, records, appAccepts, held }
}
