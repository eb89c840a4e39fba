import { runtimeWord } from '../gate/drivers/haproxy-runtime.ts'
import { nginxWord } from '../gate/drivers/nginx-file.ts'
import { type Address, formatAddress } from '../gate/front/address.ts'
import { nowhere } from './document.ts'

/** What the configuration of a server in front of a site depends on. */
export interface FrontOptions {
  readonly site: string
  readonly name: string
  /** In the order of the site: each with the name that its clients ask for. */
  readonly roles: readonly { readonly name: string; readonly host: string }[]
  readonly slots: readonly { readonly name: string; readonly address: Address }[]
}

/** How soon those should come again who are turned away during a switch. */
const retryAfterSeconds = 10

/** The file by which an nginx sees that it can look at the others. */
export const readableFile = 'readable'

/** Name what the server in front has of a slot. Pure. */
export function backendName(name: string, slot: string): string {
  return `${name}-${slot}`
}

/**
 * Write what an HAProxy needs to lead the clients of a site.
 *
 * Pure. Post: valid for HAProxy 2.4 and later. Errors: GATE_SERVER_SETTINGS. Source: HAProxy Configuration Manual §4.2 (use_backend, http-request
 * return), §7.3.1 (map).
 */
export function renderHaproxy({ site, name, roles, slots }: FrontOptions, place: { readonly map: string }): string {
  const none = backendName(name, nowhere)
  const host = 'req.hdr(host),field(1,:),lower'
  return lines([
    `# HAProxy in front of ${site}, as printed by: cutover slots config`,
    `frontend ${name}`,
    '    mode http',
    '    bind :80',
    '    timeout client 75s',
    '    option forwardfor',
    ...roles.map(
      role => `    http-request set-var(txn.role) str(${role.name}) if { ${host} -m str ${runtimeWord(role.host)} }`,
    ),
    `    use_backend %[var(txn.role),map(${runtimeWord(place.map)},${none})]`,
    `    default_backend ${none}`,
    ...slots.flatMap(slot => [
      '',
      `backend ${backendName(name, slot.name)}`,
      '    mode http',
      '    timeout connect 5s',
      '    timeout server 120s',
      '    timeout tunnel 1h',
      `    server gate ${runtimeWord(bindText(slot.address))}`,
    ]),
    '',
    `backend ${none}`,
    '    mode http',
    '    timeout connect 5s',
    '    timeout server 5s',
    `    http-request return status 503 hdr Retry-After ${retryAfterSeconds}`,
  ])
}

/**
 * Write what an nginx needs to lead the clients of a site.
 *
 * Pure. Post: valid for nginx 1.22. A role is at the first slot unless one of the files says otherwise, so that a link which changes in between leads to
 * the one slot or the other. Errors: GATE_SERVER_SETTINGS. Source: nginx, ngx_http_rewrite_module, open_file_cache.
 */
export function renderNginx({ site, name, roles, slots }: FrontOptions, place: { readonly routes: string }): string {
  const [first, ...more] = slots.map(slot => slot.name)
  return lines([
    `# nginx in front of ${site}, as printed by: cutover slots config`,
    ...slots.flatMap(slot => [
      `upstream ${backendName(name, slot.name)} {`,
      `    server ${serverText(slot.address)} max_fails=0;`,
      '}',
    ]),
    ...roles.flatMap(role => [
      'server {',
      '    listen 80;',
      `    server_name ${nginxWord(role.host)};`,
      '    client_max_body_size 0;',
      '    location / {',
      '        open_file_cache off;',
      '        # Whoever cannot look there would lead all clients to the first slot.',
      `        if (!-f ${nginxWord(`${place.routes}/${readableFile}`)}) {`,
      '            return 503;',
      '        }',
      `        set $cutover_slot ${first};`,
      ...more.flatMap(slot => [
        `        if (-f ${nginxWord(`${place.routes}/${role.name}/${slot}`)}) {`,
        `            set $cutover_slot ${slot};`,
        '        }',
      ]),
      `        if (-f ${nginxWord(`${place.routes}/${role.name}/${nowhere}`)}) {`,
      `            add_header Retry-After ${retryAfterSeconds} always;`,
      '            return 503;',
      '        }',
      `        proxy_pass http://${name}-$cutover_slot;`,
      '        proxy_http_version 1.1;',
      '        proxy_request_buffering off;',
      '        proxy_buffering off;',
      '        proxy_read_timeout 120s;',
      '        proxy_next_upstream off;',
      '        proxy_set_header Host $http_host;',
      '        proxy_set_header Upgrade $http_upgrade;',
      `        proxy_set_header Connection ${connectionVariable(name)};`,
      '        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
      '        proxy_set_header X-Forwarded-Proto $scheme;',
      '    }',
      '}',
    ]),
    `map $http_upgrade ${connectionVariable(name)} {`,
    '    default upgrade;',
    "    '' close;",
    '}',
  ])
}

function connectionVariable(name: string): string {
  return `$cutover_${name.replace(/[^a-z0-9]/g, '_')}_connection`
}

/** An address of IPv6 stands in brackets there, as ours do. */
function serverText(address: Address): string {
  return address.kind === 'unix' ? nginxWord(formatAddress(address)) : formatAddress(address)
}

/** HAProxy takes what is behind the last colon for the port, without brackets. */
function bindText(address: Address): string {
  return address.kind === 'unix' ? `unix@${address.path}` : formatAddress(address).replace(/[[\]]/g, '')
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`
}
