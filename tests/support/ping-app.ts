import { type TestRepository, testRepository, writeFiles } from './git-repository.ts'

/** What a test changes about the application. */
export interface PingOptions {
  /** Lines that come behind the recipe, at its top level. */
  readonly recipe?: string
  /** Further files, or other content of the application's own. */
  readonly files?: Readonly<Record<string, string>>
}

const server = `import http from 'node:http'
import fs from 'node:fs'
const { version } = JSON.parse(fs.readFileSync(new URL('package.json', import.meta.url), 'utf8'))
console.log('ping', version, 'listens')
const server = http.createServer((request, response) => response.end('version ' + version))
server.listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => server.close(() => process.exit(0)))
`

const recipe = `schema: 1
name: ping
summary: Says which version runs
licence: Apache-2.0
maintainer: Ada Example <ada@example.org>
source:
  versionFiles: [{ path: package.json, json: version }]
tests:
  - run: [node, --check, server.js]
build:
  - run: mkdir out && cp server.js package.json out/ && echo "$CUTOVER_VERSION $TZ $SOURCE_DATE_EPOCH" > out/built
payload:
  root: opt/ping
  entries: [{ from: out, to: . }]
artifacts:
  deb: { section: web, unit: {} }
  oci: { cmd: [node, server.js] }
node:
  runtime: { kind: node }
  services:
    - { name: web, command: ["\${runtime}", server.js], environment: { PORT: "\${port}" }, listens: true }
  health:
    http: { path: /, contains: "version \${version}" }
    interval: 20ms
    deadline: 5s
    watch: 40ms
environments:
  production: { variables: { PORT: "8080" } }
`

/** Make a repository of a small application that can be cut, with one commit. */
export function pingRepository(options: PingOptions = {}): TestRepository {
  const repository = testRepository()
  writeFiles(repository.folder, {
    'server.js': server,
    'package.json': '{ "name": "ping", "type": "module", "version": "0.0.0" }\n',
    'release.yaml': `${recipe}${options.recipe ?? ''}`,
    '.gitignore': 'dist/\n',
  })
  repository.commit('feat: answer', options.files)
  return repository
}
