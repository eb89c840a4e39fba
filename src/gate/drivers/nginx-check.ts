import { ReleaseError } from '../../core/error.ts'
import { tryExecute } from '../../sys/exec.ts'

const checkTimeoutMs = 30_000

/**
 * Have nginx check its configuration, and see that it looks for our flags.
 *
 * Post: the files that it consists of. Source: `nginx -T` writes each behind a line `# configuration file PATH:`.
 * Errors: GATE_SERVER_REFUSED with what it says is wrong; the configuration itself is shown nowhere, for it may hold secrets.
 */
export async function checkConfiguration(
  argv: readonly string[],
  flags: readonly string[],
): Promise<readonly string[]> {
  const [command = 'nginx', ...more] = argv
  const { stdout, stderr, exitCode } = await tryExecute([command, ...more], {
    timeoutMs: checkTimeoutMs,
    isOutputSecret: true,
  })
  if (exitCode !== 0) {
    throw new ReleaseError('GATE_SERVER_REFUSED', `${argv.join(' ')} says: ${stderr.trim().slice(-500)}`, {
      details: { command: argv.join(' '), exitCode },
    })
  }
  const missing = flags.find(flag => !stdout.includes(flag))
  if (missing === undefined) return [...stdout.matchAll(/^# configuration file (.+):$/gm)].map(match => match[1]!)
  throw new ReleaseError('GATE_SERVER_REFUSED', `the configuration of nginx nowhere looks for ${missing}`, {
    hint: 'put into it what `cutover gate config nginx` prints, and name the check so that it writes the configuration out (-T)',
    details: { path: missing },
  })
}
