import path from 'node:path'
import { staleWorkspaces } from '../build/workspace.ts'
import type { Event } from '../core/event.ts'
import { connectControl } from '../gate/control/client.ts'
import { controlSocket } from '../gate/control/protocol.ts'
import { prefixPaths } from '../prefix/layout.ts'
import { endLeftovers } from '../service/leftovers.ts'
import type { RepositoryPlaces } from '../source/facts.ts'
import type { Git } from '../source/git.ts'
import { finishPending, type PendingRelease } from '../source/publish.ts'
import { delay } from '../sys/clock.ts'
import { removeTree } from '../sys/files.ts'
import { killProcessesOf } from '../sys/process.ts'
import type { FlowTools } from './tools.ts'

const shutdownTimeoutMs = 15_000

/**
 * Bring to its end what killed cuts of a repository left: a release whose refs were being moved, services of a rehearsal, temporary folders.
 *
 * Pre: the repository's lock is held. Post: the release that was finished, when there was one.
 */
export async function finishKilledCuts(
  git: Git,
  places: RepositoryPlaces,
  tools: FlowTools,
): Promise<PendingRelease | undefined> {
  for (const workspace of staleWorkspaces(places.commonFolder)) {
    await endServing(workspace.prefix)
    // No other manager: a rehearsal runs everything itself.
    await endLeftovers(prefixPaths(workspace.prefix).run, async () => {})
    // A test or a build goes on when the cut is killed that had started it.
    await killProcessesOf(workspace.root)
    removeTree(workspace.root)
  }
  const finished = await finishPending(git, places)
  switch (finished.kind) {
    case 'none':
      return undefined
    case 'undone': {
      const message = `an earlier cut was killed before it made ${finished.release.tag}; nothing of it is left`
      tools.emit({ kind: 'note', message })
      return undefined
    }
    case 'finished':
      tools.emit({
        kind: 'note',
        message: `an earlier cut was killed while it made ${finished.release.tag}; it is made now`,
      })
      if (finished.left.length > 0) tools.emit(leftWarning(finished.left))
      return finished.release
  }
}

/** Tell of files that did not follow a release because somebody had changed them. */
export function leftWarning(left: readonly string[]): Event {
  const message = `changed while the release was made, and left alone: ${left.join(', ')}; see git status`
  return { kind: 'warning', code: 'WORKTREE_LEFT', message }
}

/** End what serves a prefix, if anything does. Post: nothing answers there any more. */
async function endServing(prefix: string): Promise<void> {
  const socket = path.join(prefix, controlSocket)
  const control = await connectControl(socket)
  if (control === undefined) return
  await control.request({ kind: 'shutdown' }).catch(() => {
    // It ends by itself when its cut is killed; what counts is that it ends.
  })
  const deadlineMs = performance.now() + shutdownTimeoutMs
  while (performance.now() < deadlineMs && (await connectControl(socket)) !== undefined) await delay(50)
}
