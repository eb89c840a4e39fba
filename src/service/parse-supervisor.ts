import { ReleaseError } from '../core/error.ts'
import type { Observed } from './managed.ts'

/** Where a supervisord is asked, and where it takes programs from. Absolute paths. */
export interface SupervisorPlaces {
  readonly socket: string
  /** A folder whose files `*.conf` it includes. */
  readonly programFolder: string
}

/**
 * Find in the configuration of a supervisord where it is asked and where it takes programs from.
 *
 * Shape: `[unix_http_server] file` and the first of `[include] files` that ends with `/*.conf`; `%(here)s` is the folder of the file.
 * Errors: SERVICE_DRIVER_UNSUITABLE. Source: supervisor 4.2, Configuration File.
 */
export function parseSupervisorConfiguration(text: string, file: string): SupervisorPlaces {
  const here = file.slice(0, file.lastIndexOf('/'))
  const absolute = (path: string) => (path.startsWith('/') ? path : `${here}/${path}`)
  const setting = (section: string, key: string) => readSetting(text, section, key)?.replaceAll('%(here)s', here)
  const socket = setting('unix_http_server', 'file')
  const pattern = setting('include', 'files')
    ?.split(/\s+/)
    .find(word => word.endsWith('/*.conf'))
  if (socket === undefined || pattern === undefined) {
    throw new ReleaseError(
      'SERVICE_DRIVER_UNSUITABLE',
      `${file} has no ${socket === undefined ? 'file in [unix_http_server]' : 'files = …/*.conf in [include]'}`,
      { hint: 'add it, or name another configuration in CUTOVER_SUPERVISORD_CONF', details: { path: file } },
    )
  }
  return { socket: absolute(socket), programFolder: absolute(pattern.slice(0, -'/*.conf'.length)) }
}

function readSetting(text: string, section: string, key: string): string | undefined {
  let isInside = false
  for (const line of text.split('\n').map(each => each.replace(/(^|\s)[;#].*/, '').trimEnd())) {
    if (line.startsWith('[')) isInside = line === `[${section}]`
    const match = isInside ? /^(\w+)\s*[=:]\s*(.*)$/.exec(line) : null
    if (match?.[1] === key) return match[2]
  }
  return undefined
}

/** Read what supervisor says of a program. Source: supervisor 4.2, getProcessInfo; Subprocesses, Process States. */
export function parseProcessInfo(members: Readonly<Record<string, string>>): Observed {
  const pid = Number(members['pid'])
  switch (members['statename']) {
    case 'RUNNING':
    case 'STARTING':
      return pid > 0 ? { kind: 'running', pid } : { kind: 'starting' }
    case 'STOPPED':
      return { kind: 'stopped' }
    case 'FATAL':
      return { kind: 'ended', lastExit: members['spawnerr'] || `exit code ${members['exitstatus']}` }
    default:
      return { kind: 'starting' }
  }
}
