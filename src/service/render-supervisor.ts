import { ReleaseError } from '../core/error.ts'
import type { Launch } from '../sys/account.ts'
import type { ServiceSpec } from './driver.ts'

/** What a program of supervisor says besides its service. Paths absolute. */
export interface ProgramPlaces {
  readonly program: string
  /** The script that starts it; see {@link renderProgramScript}. */
  readonly scriptFile: string
  readonly logFile: string
}

/**
 * Render a program for supervisor: started by us, started again by it.
 *
 * It starts with nothing of supervisord's environment; its own is in the script, never here. Errors: SERVICE_DRIVER_UNSUITABLE for a
 * path that the file cannot say. Source: supervisor 4.2, Configuration File, [program:x].
 */
export function renderProgram(spec: ServiceSpec, { program, scriptFile, logFile }: ProgramPlaces): string {
  const lines = [
    `[program:${program}]`,
    `command=/usr/bin/env -i /bin/sh ${value(quoteShellWord(scriptFile))}`,
    'autostart=false',
    'autorestart=true',
    // Ended sooner, it is tried again after 1 s, 2 s, 3 s and so on; after the last time by us.
    'startsecs=1',
    'startretries=10',
    `stopsignal=${spec.stopSignal.replace('SIG', '')}`,
    `stopwaitsecs=${Math.max(1, Math.ceil(spec.stopTimeoutMs / 1000))}`,
    'stopasgroup=true',
    'killasgroup=true',
    'redirect_stderr=true',
    `stdout_logfile=${value(logFile)}`,
    'stdout_logfile_maxbytes=16MB',
    'stdout_logfile_backups=1',
  ]
  return `${lines.join('\n')}\n`
}

/** A line ends a value, a sign of comments after a space does, and percent signs are names of values. */
function value(text: string): string {
  if (!/[\u0000-\u001f\u007f]| [;#]/.test(text)) return text.replaceAll('%', '%%')
  throw new ReleaseError(
    'SERVICE_DRIVER_UNSUITABLE',
    `${JSON.stringify(text)} cannot be in a configuration of supervisor`,
    { hint: 'use another driver, or a prefix whose path has no spaces' },
  )
}

/** Render the script that a program of supervisor is. It holds the environment, secrets included: only its owner may read it. Errors: RECIPE_PLACEHOLDER. */
export function renderProgramScript(
  { argv, environment }: Launch,
  { cwd, socket }: { readonly cwd: string; readonly socket: string },
): string {
  // Left by the life before, it would be in the way of the next.
  const removal = socket === '' ? [] : [`rm -f -- ${quoteShellWord(socket)}`]
  const variables = Object.entries(environment).map(([name, text]) => {
    if (text.includes('\0')) throw new ReleaseError('RECIPE_PLACEHOLDER', `the variable ${name} holds a NUL`)
    return `export ${name}=${quoteShellWord(text)}`
  })
  return [
    ...removal,
    ...variables,
    `cd ${quoteShellWord(cwd)} || exit 126`,
    `exec ${argv.map(quoteShellWord).join(' ')}`,
    '',
  ].join('\n')
}

function quoteShellWord(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
