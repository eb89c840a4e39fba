import { ReleaseError } from '../../core/error.ts'
import { type Address, formatAddress, type UnixAddress } from '../front/address.ts'

/** What the file of ours that nginx includes says. */
export interface NginxUpstreams {
  readonly name: string
  /** Where the application accepts; undefined before the first was started. */
  readonly application: Address | undefined
  readonly waiting: UnixAddress
}

/** The names of both upstreams. */
export function upstreamsOf(name: string) {
  return { app: `${name}-app`, wait: `${name}-wait` } as const
}

/**
 * Write the file that nginx includes: two upstreams, the application and the waiting room.
 *
 * The waiting room is the application's backup: what nothing was sent of because the application does not accept waits, POSTs too.
 * Which of both a request goes to is not said here but by the flag beside the socket (see nginx.ts).
 * Errors: GATE_SERVER_SETTINGS for a path that nginx would read as something else.
 * Source: nginx, ngx_http_upstream_module (server, backup, max_fails); ngx_http_proxy_module (proxy_next_upstream).
 */
export function renderUpstreams({ name, application, waiting }: NginxUpstreams): string {
  const { app, wait } = upstreamsOf(name)
  const room = nginxWord(formatAddress(waiting))
  const server = application === undefined ? '' : `    server ${formatAddress(application)} max_fails=0;\n`
  const isBackup = application === undefined ? '' : ' backup'
  return `# Written by cutover; changes are lost. What belongs into the configuration beside it: cutover gate config nginx
upstream ${app} {
${server}    server ${room}${isBackup};
}
upstream ${wait} {
    server ${room};
}
`
}

/** Take a path as one word of nginx's configuration. Errors: GATE_SERVER_SETTINGS. */
export function nginxWord(text: string): string {
  if (/^[A-Za-z0-9._:/@%+~-]+$/.test(text)) return text
  throw new ReleaseError(
    'GATE_SERVER_SETTINGS',
    `${JSON.stringify(text)} cannot be written into nginx's configuration`,
    {
      hint: 'use letters, digits and . _ : / @ % + ~ - only',
      details: { name: text },
    },
  )
}

/** Read back at which port the application is; undefined when it is at none. */
export function applicationPort(text: string): number | undefined {
  const port = Number(/^ {4}server 127\.0\.0\.1:(\d{1,5}) max_fails=0;$/m.exec(text)?.[1])
  return port > 0 && port <= 65_535 ? port : undefined
}
