import { typesByExtension, typesByName } from '../sys/content-type.ts'
import { simpleJsonType } from './python/simple.ts'
import { immutableControl, immutablePaths, pointerControl, sharedPath, snapshotPrefix } from './serve/caching.ts'

/** Where the configuration is kept in a repository that is a folder: hidden, so that nobody is served it. */
export const nginxFile = '.cutover/nginx.conf'

/** What is served, and how it is reached. */
export interface NginxOptions {
  /** The name of the repository. */
  readonly name: string
  /** The folder, absolute. */
  readonly root: string
  /** Where clients reach it; another address than one of HTTP says nothing of where to listen. */
  readonly url: string
  /** `HOST:PORT` of a `release serve` of the same folder, which answers as a registry of images; its blobs are sent by nginx itself. */
  readonly registry: string
}

/**
 * Render what lets nginx serve a repository as `release serve` does, for its `http` context.
 *
 * Post: undefined for a folder whose path cannot be written in a configuration of nginx. What may be kept for how long, the types and the
 * paths of dated states are those of `serve/`. Source: nginx ngx_http_core_module, ngx_http_map_module; PEP 691.
 */
export function renderNginx(options: NginxOptions): string | undefined {
  if (!/^\/[^"$\\\u0000-\u001f\u007f]*$/.test(options.root)) return undefined
  // Several repositories may be served by one nginx.
  const prefix = `cutover_${options.name.replace(/[^a-z0-9]/g, '_')}`
  return `# Serves the repository ${options.name} with nginx. Written by \`release init\`.
# Copy it to where your nginx includes files in its http context, such as /etc/nginx/conf.d/, and add TLS there.
# Images are pulled through \`release serve --listen ${options.registry}\` of the same folder, run as a service beside; without it
# addresses below /v2/ answer 502, and everything else is as it should be.

map $http_accept $${prefix}_page {
    default index.html;
    "~*application/vnd[.]pypi[.]simple[.](?:v1|latest)[+]json" index.json;
}
map $uri $${prefix}_vary {
    default "";
    "~^/simple/(?:.*/)?index[.](?:html|json)$" accept;
}
map $uri $${prefix}_cache {
    default "${pointerControl}";
    "~^/v2(?:/|$)" "";
${immutablePaths.map(pattern => `    "~${pattern}" "${immutableControl}";`).join('\n')}
}

server {
${indented([...addressLines(options.url), '', ...serverLines(options.root, prefix)])}

${indented(locationLines(options.registry, prefix))}
}
`
}

function addressLines(url: string): readonly string[] {
  const { protocol, hostname, port, pathname } = new URL(url)
  const isHttp = protocol === 'http:' || protocol === 'https:'
  const isPlain = protocol === 'http:' && port !== ''
  const below = pathname.replace(/\/$/, '')
  return [
    `listen ${isPlain ? port : '80'};`,
    `listen [::]:${isPlain ? port : '80'};`,
    `server_name ${isHttp ? hostname : '_'};`,
    // Percent signs and the rest of the address's characters mean nothing to a regular expression.
    ...(isHttp && below !== '' ? [`rewrite "^${below.replace(/[.+*?()[\]^|]/g, '[$&]')}(/.*)$" $1;`] : []),
  ]
}

function serverLines(root: string, prefix: string): readonly string[] {
  return [
    `root "${root}";`,
    'index index.html;',
    'autoindex off;',
    'absolute_redirect off;',
    'server_tokens off;',
    'sendfile on;',
    'tcp_nopush on;',
    '# Files are what their digests say: never packed on the way, and never looked up in a cache of open files.',
    'gzip off;',
    'open_file_cache off;',
    'max_ranges 1;',
    'client_max_body_size 1k;',
    'client_header_timeout 10s;',
    'client_body_timeout 10s;',
    'send_timeout 60s;',
    'proxy_http_version 1.1;',
    'proxy_set_header Connection "";',
    'proxy_set_header Host $host;',
    'proxy_hide_header X-Content-Type-Options;',
    `add_header Cache-Control $${prefix}_cache;`,
    `add_header Vary $${prefix}_vary;`,
    'add_header X-Content-Type-Options nosniff always;',
    'default_type application/octet-stream;',
    'types {',
    ...Object.entries(typesByExtension).map(([extension, type]) => `    "${type}" ${extension.slice(1)};`),
    '}',
  ]
}

function locationLines(registry: string, prefix: string): readonly string[] {
  const [nameType] = new Set(Object.values(typesByName))
  const application = '[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*'
  return [
    '# What is hidden is the publishers’ own.',
    'location ~ "/[.]" {',
    '    return 404;',
    '}',
    '# apt’s indexes, whose names have no end.',
    `location ~ "/(?:${Object.keys(typesByName).join('|')})$" {`,
    '    types { }',
    `    default_type "${nameType}";`,
    '}',
    '# Python’s index in the form that is asked for.',
    'location ~ "^/simple/(?:.*/)?$" {',
    `    types { "${simpleJsonType}" json; "${typesByExtension['.html']}" html; }`,
    `    try_files $uri$${prefix}_page \${uri}index.html =404;`,
    '}',
    'location ~ "^/simple/(?:.*/)?index[.]json$" {',
    '    types { }',
    `    default_type ${simpleJsonType};`,
    '}',
    '# A dated state of the suites has Release files of its own and shares everything else.',
    `location ~ "^${snapshotPrefix}/(?<${prefix}_shared>${sharedPath})$" {`,
    `    try_files $uri /$${prefix}_shared =404;`,
    '}',
    '# A registry of images.',
    `location ~ "^/v2/(?<${prefix}_application>${application})/blobs/sha256:(?<${prefix}_hex>[0-9a-f]{64})$" {`,
    '    types { }',
    `    add_header Cache-Control $${prefix}_cache;`,
    `    add_header Docker-Content-Digest sha256:$${prefix}_hex;`,
    '    add_header X-Content-Type-Options nosniff always;',
    `    try_files /oci/$${prefix}_application/blobs/sha256/$${prefix}_hex @${prefix}_registry;`,
    '}',
    `location ~ "^/v2(?:/|$)" {`,
    `    proxy_pass http://${registry};`,
    '}',
    `location @${prefix}_registry {`,
    `    proxy_pass http://${registry};`,
    '}',
  ]
}

function indented(lines: readonly string[]): string {
  return lines.map(line => (line === '' ? '' : `    ${line}`)).join('\n')
}
