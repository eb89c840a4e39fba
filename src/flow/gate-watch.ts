import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { type ControlClient, connectControl } from '../gate/control/client.ts'
import { controlSocket, type ServeStatus } from '../gate/control/protocol.ts'
import { readIdentity } from '../prefix/identity.ts'
import { prefixPaths } from '../prefix/layout.ts'
import { delay } from '../sys/clock.ts'
import type { FlowTools } from './tools.ts'

/** What a gate said of itself at a moment; undefined when nobody answered. */
export interface GateSample {
  readonly atMs: number
  readonly status: ServeStatus | undefined
}

export interface GateWatchOptions {
  readonly prefix: string
  readonly everyMs: number
  /** How many looks; until it is ended when absent. */
  readonly count?: number | undefined
  readonly take: (sample: GateSample) => void
}

/** A look is worth nothing once the next one is due. */
const answerTimeoutMs = 2000

/**
 * Look at a prefix's gate again and again, until told to stop. A serving process that ends or is not there yet is waited for.
 *
 * Errors: PREFIX_UNKNOWN.
 */
export async function gateWatch(options: GateWatchOptions, tools: FlowTools): Promise<void> {
  const paths = prefixPaths(path.resolve(options.prefix))
  readIdentity(paths)
  const socket = path.join(paths.root, controlSocket)
  let client: ControlClient | undefined
  for (let looks = 0; looks !== options.count && !tools.signal.aborted; looks += 1) {
    if (looks > 0 && !(await waited(options.everyMs, tools.signal))) return
    client ??= await connectControl(socket)
    const status = client === undefined ? undefined : await look(client)
    if (status === undefined) client = undefined
    options.take({ atMs: tools.clock.nowMs(), status })
  }
}

async function look(client: ControlClient): Promise<ServeStatus | undefined> {
  try {
    return (await client.request({ kind: 'status' }, { timeoutMs: answerTimeoutMs })).status
  } catch (caught) {
    // It is being restarted, or too busy to answer: shown as such.
    if (caught instanceof ReleaseError && caught.code === 'GATE_UNREACHABLE') return undefined
    throw caught
  }
}

/** Wait a while; false when it was told to stop meanwhile. */
async function waited(durationMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(durationMs, signal)
    return true
  } catch (caught) {
    if (signal.aborted) return false
    throw caught
  }
}
