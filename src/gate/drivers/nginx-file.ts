import { ReleaseError } from '../../core/error.ts'
import { formatAddress, type UnixAddress } from '../front/address.ts'

/** What the file of ours that nginx includes says. */
export interface NginxUpstreams {
  readonly name: string
  /** Where the application accepts: at the first, or at the second while and after two versions ran. */
  readonly ports: readonly [number, number]
  readonly waiting: UnixAddress
}

/** The names of the upstreams: the application's, by its port, and the waiting room. */
export function upstreamsOf(name: string) {
  return { apps: [`${name}-app`, `${name}-app-2`], wait: `${name}-wait` } as const
}

/**
 * Write the file that nginx includes: the application at either of its ports, and the waiting room.
 *
 * The waiting room is the application's backup: what nothing was sent of because the application does not accept waits, POSTs too.
 * Which of them a request goes to is not said here but by flags beside the socket (see nginx.ts).
 * Errors: GATE_SERVER_SETTINGS for a path that nginx would read as something else.
 * Source: nginx, ngx_http_upstream_module (server, backup, max_fails); ngx_http_proxy_module (proxy_next_upstream).
 */
export function renderUpstreams({ name, ports, waiting }: NginxUpstreams): string {
  const { apps, wait } = upstreamsOf(name)
  const room = nginxWord(formatAddress(waiting))
  const app = (index: 0 | 1) => `upstream ${apps[index]} {
    server 127.0.0.1:${ports[index]} max_fails=0;
    server ${room} backup;
}
`
  return `# Written by cutover; changes are lost. What belongs into the configuration beside it: cutover gate config nginx
${app(0)}${app(1)}upstream ${wait} {
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

/** Read back at which ports the application is; undefined for what is no file of ours. */
export function applicationPorts(text: string): readonly [number, number] | undefined {
  const found = [...text.matchAll(/^ {4}server 127\.0\.0\.1:(\d{1,5}) max_fails=0;$/gm)].map(match => Number(match[1]))
  const [first = 0, second = 0] = found
  const isPort = (port: number) => port > 0 && port <= 65_535
  return found.length === 2 && isPort(first) && isPort(second) && first !== second ? [first, second] : undefined
}
