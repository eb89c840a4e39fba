import { type Address, formatAddress } from '../front/address.ts'
import { commented, type SnippetOptions } from './haproxy-snippet.ts'
import { flagsOf, type NginxPlaces } from './nginx.ts'
import { nginxWord, upstreamsOf } from './nginx-file.ts'

/**
 * Write what nginx's configuration needs to stand in front of a prefix: a file of its `http` context.
 *
 * Post: valid for nginx 1.22 once `cutover serve` has written the file of upstreams. Bodies are passed on as they come, so that what is
 * held waits at the client and a request is at the application, or nowhere, as soon as it was routed. Errors: GATE_SERVER_SETTINGS.
 * Source: nginx, ngx_http_rewrite_module (`if` with `set` only), ngx_http_proxy_module.
 */
export function nginxSnippet(places: NginxPlaces, options: SnippetOptions): string {
  const { apps, wait } = upstreamsOf(nginxWord(places.name))
  const own = `cutover_${places.name.replace(/[^a-z0-9]/g, '_')}`
  const { waits, second } = flagsOf(places.waiting)
  const seconds = Math.ceil(options.answerTimeoutMs / 1000)
  const isIncluded = /^\/etc\/nginx\/conf\.d\/[^/]+\.conf$/.test(places.file)
  return `${[
    `# nginx in front of ${commented(options.prefix)}, as printed by: cutover gate config nginx`,
    '# Run cutover serve first: it writes the file of upstreams.',
    ...(isIncluded ? [`# Debian's nginx.conf includes ${places.file}.`] : [`include ${nginxWord(places.file)};`]),
    ...forwarding(own, options.trust),
    `map $http_upgrade $${own}_connection {`,
    '    default upgrade;',
    "    '' close;",
    '}',
    'server {',
    ...options.listening.map(address => `    listen ${listenText(address)};`),
    `    keepalive_timeout ${Math.ceil(options.idleTimeoutMs / 1000)}s;`,
    '    client_max_body_size 0;',
    '    location / {',
    '        # These files say where a request goes while they are there: to the second port, to where requests wait.',
    '        # Else nginx would know for a minute that one is there which is not any more.',
    '        open_file_cache off;',
    `        set $${own}_route ${apps[0]};`,
    `        if (-f ${nginxWord(second)}) {`,
    `            set $${own}_route ${apps[1]};`,
    '        }',
    `        if (-f ${nginxWord(waits)}) {`,
    `            set $${own}_route ${wait};`,
    '        }',
    `        proxy_pass http://$${own}_route;`,
    '        proxy_http_version 1.1;',
    '        proxy_request_buffering off;',
    '        proxy_buffering off;',
    `        proxy_read_timeout ${seconds}s;`,
    `        proxy_send_timeout ${seconds}s;`,
    '        proxy_next_upstream error;',
    '        proxy_set_header Host $http_host;',
    '        proxy_set_header Upgrade $http_upgrade;',
    `        proxy_set_header Connection $${own}_connection;`,
    `        proxy_set_header X-Forwarded-For $${own}_for;`,
    `        proxy_set_header X-Forwarded-Host $${own}_host;`,
    `        proxy_set_header X-Forwarded-Proto $${own}_proto;`,
    `        proxy_set_header X-Real-IP $${own}_real_ip;`,
    `        proxy_set_header Forwarded $${own}_forwarded;`,
    '    }',
    '}',
  ].join('\n')}\n`
}

/** Nobody but those who are trusted says for whom a request comes. */
function forwarding(own: string, trust: readonly string[]): readonly string[] {
  const said = (variable: string, field: string, otherwise: string) => [
    `map "$${own}_trusted $http_${field}" $${own}_${variable} {`,
    `    default ${otherwise};`,
    `    "~^1 (?<${own}_said_${variable}>.+)$" $${own}_said_${variable};`,
    '}',
  ]
  return [
    `geo $${own}_trusted {`,
    '    default 0;',
    ...trust.map(network => `    ${network} 1;`),
    '}',
    `map $${own}_trusted $${own}_for {`,
    '    default $remote_addr;',
    '    1 $proxy_add_x_forwarded_for;',
    '}',
    ...said('host', 'x_forwarded_host', '$http_host'),
    ...said('proto', 'x_forwarded_proto', '$scheme'),
    ...said('real_ip', 'x_real_ip', "''"),
    ...said('forwarded', 'forwarded', "''"),
  ]
}

function listenText(address: Address): string {
  // An address of IPv6 stands in brackets, as ours do.
  if (address.kind === 'tcp') return formatAddress(address)
  return nginxWord(formatAddress(address))
}
