import { type Executed, type ExecuteOptions, execute } from '../sys/exec.ts'
import { killProcessesOf } from '../sys/process.ts'

/** How long a command that was told to end may take before everything that it started is killed. */
const graceMs = 500

/** The variable that a command of a change carries, and whatever that starts; `;` ends the value, for one path may begin another. */
const marker = (release: string) => `CUTOVER_CHANGE=${release};`

/**
 * Run a command that works on a release, so that nothing it started goes on after it.
 *
 * Post: what it started has ended with it: at its own end, after the time limit, and after the signal, when its output would stay open otherwise.
 * Errors: those of sys/exec.ts. Crash: {@link endCommands} ends what is left.
 */
export async function executeReaped(
  release: string,
  argv: readonly [string, ...string[]],
  options: ExecuteOptions & { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Executed> {
  const [name, value] = marker(release).split('=') as [string, string]
  const timers: NodeJS.Timeout[] = []
  const killIn = (durationMs: number) =>
    timers.push(setTimeout(() => void killProcessesOf(marker(release)), durationMs))
  const onAbort = () => killIn(graceMs)
  options.signal.addEventListener('abort', onAbort, { once: true })
  killIn(options.timeoutMs + graceMs)
  try {
    return await execute(argv, { ...options, environment: { ...options.environment, [name]: value } })
  } finally {
    options.signal.removeEventListener('abort', onAbort)
    for (const timer of timers) clearTimeout(timer)
    await killProcessesOf(marker(release))
  }
}

/** End the commands that an installer was running on a release when it was killed: they would write to what is recovered now. */
export async function endCommands(release: string): Promise<void> {
  await killProcessesOf(marker(release))
}
