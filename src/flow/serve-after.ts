import fs from 'node:fs'
import path from 'node:path'
import { toReleaseError } from '../core/error.ts'
import { type UnixAddress, unixAddress } from '../gate/front/address.ts'
import { currentVersion } from '../prefix/installed.ts'
import type { PrefixPaths } from '../prefix/layout.ts'
import { listFiles } from '../sys/files.ts'
import type { Lock } from '../sys/lock.ts'
import { lockAfterPredecessor, lockBeginning } from './serve-lock.ts'
import { Predecessor } from './serve-predecessor.ts'
import { openServing, runServing, type ServeContext } from './serve-process.ts'
import { readServedRelease } from './serve-release.ts'
import type { SuccessionChannel } from './succession.ts'
import type { FlowTools } from './tools.ts'

/**
 * Serve in the place of another process: say that we could, take over its sockets and services when it says so, and from then on serve.
 *
 * Errors: SERVE_BUSY, GATE_UPGRADE_FAILED, SERVICE_ADOPT_FAILED, those of a gate; told to the other process, which goes on as if nothing
 * had been. Crash: before we have taken over, the same; after that, as of any serving process.
 */
export async function serveAfter(channel: SuccessionChannel, context: ServeContext): Promise<string> {
  const { place, tools } = context
  const { paths } = place
  const predecessor = new Predecessor(channel)
  tools.emit({ kind: 'run-started', command: 'serve', subject: paths.root, steps: [] })
  try {
    const beginning = await lockBeginning(paths)
    // What could not be read now could not be either when it matters.
    const version = currentVersion(paths)
    if (version !== undefined) readServedRelease(paths, place.identity, version)
    const estate = await predecessor.estate(tools.signal)
    const serving = openServing(context, {
      inherited: estate.sockets.map((socket, index) => ({ ...socket, descriptor: 3 + index })),
      inheritedNames: estate.inheritedNames,
      servicePlace: estate.release?.servicePlace,
      predecessor,
    })
    let answersAt: UnixAddress | undefined
    return await runServing(serving, {
      start: async () => {
        answersAt = await serving.session.takeOver(estate, relaySocket(paths))
      },
      undo: () => serving.session.abandon(),
      began: () => {
        predecessor.taken(answersAt?.path)
        return inheritLock(paths, beginning, tools)
      },
    })
  } catch (caught) {
    predecessor.failed(caught)
    throw caught
  } finally {
    predecessor.close()
  }
}

/** From before the other process gives up its lock the one of whoever begins holds others off; it goes on to, should the other not be had. */
async function inheritLock(paths: PrefixPaths, beginning: Lock, { emit }: FlowTools): Promise<Lock> {
  try {
    const lock = await lockAfterPredecessor(paths)
    beginning.release()
    return lock
  } catch (caught) {
    const { code, message } = toReleaseError(caught)
    emit({ kind: 'warning', code, message })
    return beginning
  }
}

const relayPrefix = 'relay.'

/** Where we answer what still comes to the process before us. */
function relaySocket({ run }: PrefixPaths): UnixAddress {
  return unixAddress(path.join(run, `${relayPrefix}${process.pid.toString(36)}`))
}

/** Remove the sockets of successors that were killed. Pre: nobody serves. */
export function removeRelaySockets(runFolder: string): void {
  for (const name of listFiles(runFolder)) {
    if (name.startsWith(relayPrefix)) fs.rmSync(path.join(runFolder, name), { force: true })
  }
}
