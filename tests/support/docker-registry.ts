import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createPrivateKey, createSign, type KeyObject } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { afterAll } from 'vitest'
import { freePort, untilListening } from './ports.ts'
import { tempFolder } from './temp.ts'

const base = tempFolder()
const running = new Set<() => unknown>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => Promise.all([...running].map(end => end())))

/** Docker's registry, listening on loopback until the test file ends. */
export interface DockerRegistry {
  /** `127.0.0.1:PORT`. */
  readonly host: string
  readonly kill: () => Promise<void>
  /** Start it again on the same port with the same content. */
  readonly start: () => Promise<void>
}

/** Whom the registry lets in. */
export type Admission =
  | { readonly kind: 'open' }
  | { readonly kind: 'htpasswd'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly server: TokenServer }

/** A key with a certificate for 127.0.0.1 that nobody has signed. */
export interface Certificate {
  readonly keyFile: string
  readonly file: string
}

/** Make a key with a certificate. */
export function makeCertificate(): Certificate {
  const folder = fs.mkdtempSync(path.join(base, 'part-'))
  const made = { keyFile: path.join(folder, 'key.pem'), file: path.join(folder, 'certificate.pem') }
  const subject = ['-subj', '/CN=tests', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', made.keyFile]
  execFileSync('openssl', ['req', '-x509', ...key, ...subject, '-out', made.file], { stdio: 'ignore' })
  return made
}

/** Run Debian's docker-registry with an own folder, without TLS unless it is given a certificate. */
export async function dockerRegistry(
  admission: Admission = { kind: 'open' },
  certificate?: Certificate,
): Promise<DockerRegistry> {
  const folder = fs.mkdtempSync(path.join(base, 'part-'))
  const host = `127.0.0.1:${await freePort()}`
  const configuration = path.join(folder, 'registry.json')
  // The file is YAML, of which JSON is a part.
  fs.writeFileSync(
    configuration,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: path.join(folder, 'data') }, delete: { enabled: true } },
      http: {
        addr: host,
        secret: 'of the tests',
        ...(certificate === undefined ? {} : { tls: { certificate: certificate.file, key: certificate.keyFile } }),
      },
      ...authOf(admission, folder),
    }),
  )
  let child: ChildProcess | undefined
  const kill = async () => {
    if (child === undefined || child.exitCode !== null) return
    const ended = new Promise(resolve => child!.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  const start = async () => {
    child = spawn('docker-registry', ['serve', configuration], { stdio: 'ignore' })
    await untilListening(Number(host.split(':')[1]))
  }
  running.add(kill)
  await start()
  return { host, kill, start }
}

function authOf(admission: Admission, folder: string): object {
  if (admission.kind === 'open') return {}
  if (admission.kind === 'token') {
    const { url, certificate } = admission.server
    return { auth: { token: { realm: url, service: 'tests', issuer: 'tests', rootcertbundle: certificate } } }
  }
  const file = path.join(folder, 'htpasswd')
  fs.writeFileSync(file, execFileSync('htpasswd', ['-Bbn', '-C', '5', admission.user, admission.password]))
  return { auth: { htpasswd: { realm: 'tests', path: file } } }
}

/** A server that gives tokens, as Docker's specification has it. */
export interface TokenServer {
  readonly url: string
  readonly certificate: string
  /** What was asked of it: method, scopes and how it was authorised. */
  readonly requests: { readonly method: string; readonly scopes: readonly string[]; readonly as: string }[]
}

/** How a server of tokens decides. */
export interface TokenServerOptions {
  readonly user: string
  readonly password: string
  /** Given to who has it, instead of a password. */
  readonly refreshToken?: string
  /** Actions that are allowed without credentials. */
  readonly anonymous: readonly string[]
}

/** Run a server of RS256 tokens on loopback. */
export async function tokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { keyFile, file: certificate } = makeCertificate()
  const key = createPrivateKey(fs.readFileSync(keyFile))
  const requests: TokenServer['requests'] = []
  const server = http.createServer(async (request, response) => {
    const form = new URLSearchParams(request.method === 'POST' ? await text(request) : '')
    const url = new URL(request.url ?? '/', 'http://localhost')
    const scopes = request.method === 'POST' ? (form.get('scope') ?? '').split(' ') : url.searchParams.getAll('scope')
    const as = identify(request.headers.authorization, form.get('refresh_token'), options)
    requests.push({ method: request.method ?? '', scopes, as })
    if (as === 'nobody') return void response.writeHead(401).end()
    const allowed = as === 'anonymous' ? options.anonymous : ['pull', 'push', '*']
    const token = sign(key, certificate, scopes, allowed)
    const body = { [request.method === 'POST' ? 'access_token' : 'token']: token, expires_in: 300 }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  running.add(() => new Promise(resolve => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/token`, certificate, requests }
}

function identify(authorization: string | undefined, refreshToken: string | null, options: TokenServerOptions): string {
  if (refreshToken !== null) return refreshToken === options.refreshToken ? 'identity' : 'nobody'
  if (authorization === undefined) return 'anonymous'
  const wanted = `Basic ${Buffer.from(`${options.user}:${options.password}`).toString('base64')}`
  return authorization === wanted ? 'password' : 'nobody'
}

function sign(key: KeyObject, certificate: string, scopes: readonly string[], allowed: readonly string[]): string {
  const x5c = [fs.readFileSync(certificate, 'utf8').replace(/-----[A-Z ]+-----|\n/g, '')]
  const access = scopes.flatMap(scope => {
    const match = /^([a-z]+):(.+):([^:]+)$/.exec(scope)
    if (match === null) return []
    const [, type, name, actions = ''] = match
    return [{ type, name, actions: actions.split(',').filter(action => allowed.includes(action)) }]
  })
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'tests', sub: 'somebody', aud: 'tests', exp: now + 300, nbf: now - 10, iat: now, jti: `${now}` }
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signed = `${encode({ typ: 'JWT', alg: 'RS256', x5c })}.${encode({ ...claims, access })}`
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key).toString('base64url')}`
}

async function text(request: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces).toString()
}
