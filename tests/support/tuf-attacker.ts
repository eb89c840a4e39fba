import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { digestOf, hexOf } from '../../src/core/digest.ts'
import { openRepository, pinRoot, type TrustedRepository } from '../../src/trust/client.ts'
import { targetKey } from '../../src/trust/layout.ts'
import { openView, type TrustedView } from '../../src/trust/updater.ts'
import { tempFolder } from './temp.ts'

/*
 * A TUF repository whose every byte can be wrong: it shares no code with the publisher, has its keys in memory, and is served over real HTTP.
 */

/** A key of the attacker's or of the repository's. */
export interface TestKey {
  readonly id: string
  readonly json: Record<string, unknown>
  readonly privateKey: KeyObject
}

/** A file that is answered in another way than by its bytes. */
export type Behaviour =
  | { readonly kind: 'status'; readonly status: number }
  /** Sends until the client goes away. */
  | { readonly kind: 'endless' }
  /** Begins and never goes on. */
  | { readonly kind: 'stalled' }
  /** A byte now and then, for ever. */
  | { readonly kind: 'dripping'; readonly everyMs: number }

type Json = Record<string, unknown>
interface RoleKeys {
  keyids: string[]
  threshold: number
}
interface DelegatedRole extends RoleKeys {
  name: string
  terminating: boolean
  paths: string[]
}
/** The signed part of a file, to be changed at will. */
export interface Part {
  _type: string
  spec_version: string
  version: number
  expires: string
  [field: string]: unknown
}
interface TargetsPart extends Part {
  targets: Record<string, { length: number; hashes: Record<string, string> }>
  delegations?: { keys: Record<string, Json>; roles: DelegatedRole[] }
}
interface MetaPart extends Part {
  meta: Record<string, { version: number; length?: number; hashes?: Record<string, string> }>
}
interface RootPart extends Part {
  consistent_snapshot: boolean
  keys: Record<string, Json>
  roles: Record<string, RoleKeys>
}

const future = '2099-01-01T00:00:00Z'
/** A date that is past. */
export const past = '2001-01-01T00:00:00Z'

/** The canonical form that TUF signs: control characters stand as they are. Source: OLPC canonical JSON. */
export function canonicalForm(value: unknown): string {
  if (typeof value === 'string') return `"${value.replace(/[\\"]/g, '\\$&')}"`
  if (Array.isArray(value)) return `[${value.map(canonicalForm).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${canonicalForm(key)}:${canonicalForm(member)}`).join(',')}}`
}

/** Make an ed25519 key; `extra` fields go into its public form. */
export function newKey(extra: Json = {}): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const hex = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('hex')
  const json = { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: hex }, ...extra }
  return { id: hexOf(digestOf(canonicalForm(json))), json, privateKey }
}

/** A repository in memory. */
export class TufSite {
  readonly files = new Map<string, Buffer>()
  readonly behaviours = new Map<string, Behaviour>()
  /** What was asked for, without the leading slash. */
  readonly requests: string[] = []
  /** How many bytes an endless answer got rid of. */
  sentBytes = 0
  readonly signers = new Map<string, TestKey[]>()
  readonly root: RootPart = { ...part('root'), consistent_snapshot: true, keys: {}, roles: {} }
  readonly timestamp: MetaPart = { ...part('timestamp'), meta: {} }
  readonly snapshot: MetaPart = { ...part('snapshot'), meta: {} }
  readonly targets = new Map<string, TargetsPart>([['targets', { ...part('targets'), targets: {} }]])
  /** Whether snapshot and timestamp list the hashes and lengths of files. */
  hashes = true
  #server: http.Server | undefined
  url = ''

  constructor() {
    for (const role of ['root', 'targets', 'snapshot', 'timestamp']) this.setKeys(role, [newKey()])
  }

  /** Have a top-level role signed by these keys, `threshold` of which must. */
  setKeys(role: string, keys: readonly TestKey[], threshold = 1): void {
    for (const key of keys) this.root.keys[key.id] = key.json
    this.root.roles[role] = { keyids: keys.map(key => key.id), threshold }
    this.signers.set(role, [...keys])
  }

  /** Delegate paths to a role with a key of its own. */
  delegate(
    name: string,
    paths: readonly string[],
    options: { readonly from?: string; readonly terminating?: boolean; readonly key?: TestKey } = {},
  ): TargetsPart {
    const delegator = this.targetsOf(options.from ?? 'targets')
    const key = options.key ?? newKey()
    delegator.delegations ??= { keys: {}, roles: [] }
    delegator.delegations.keys[key.id] = key.json
    const { terminating = true } = options
    delegator.delegations.roles.push({ name, keyids: [key.id], threshold: 1, terminating, paths: [...paths] })
    this.signers.set(name, [...(this.signers.get(name) ?? []), key])
    const before = this.targets.get(name)
    const made = before ?? { ...part('targets'), targets: {} }
    this.targets.set(name, made)
    return made
  }

  targetsOf(role: string): TargetsPart {
    return this.targets.get(role)!
  }

  /** List a target in a role and store its bytes. */
  addTarget(role: string, name: string, content: string): void {
    const digest = digestOf(content)
    this.targetsOf(role).targets[name] = { length: Buffer.byteLength(content), hashes: { sha256: hexOf(digest) } }
    this.files.set(targetKey(name, digest), Buffer.from(content))
  }

  /** Give each role the next number, sign it, store it, and list it in what is published after it. */
  publish(...roles: readonly string[]): void {
    const all = roles.length === 0 ? ['root', ...this.targets.keys(), 'snapshot', 'timestamp'] : roles
    for (const role of ['root', ...this.targets.keys(), 'snapshot', 'timestamp']) {
      if (all.includes(role)) this.#publishOne(role)
    }
  }

  /** Sign a part as a role. */
  signed(role: string, signed: Part): Buffer {
    const bytes = Buffer.from(canonicalForm(signed))
    const signatures = this.signers
      .get(role)!
      .map(key => ({ keyid: key.id, sig: sign(undefined, bytes, key.privateKey).toString('hex') }))
    return Buffer.from(JSON.stringify({ signatures, signed }))
  }

  /** Sign a role's part as it is and store it under a number; the part's own when none is given. */
  store(role: string, version?: number): Buffer {
    const signed = this.partOf(role)
    const bytes = this.signed(role, signed)
    this.files.set(keyOf(role, version ?? signed.version), bytes)
    return bytes
  }

  /** Change a stored file. */
  change(key: string, edit: (json: { signatures: { keyid: string; sig: string }[]; signed: Json }) => void): void {
    const json = JSON.parse(this.files.get(key)!.toString())
    edit(json)
    this.files.set(key, Buffer.from(JSON.stringify(json)))
  }

  partOf(role: string): Part {
    if (role === 'root') return this.root
    if (role === 'snapshot') return this.snapshot
    if (role === 'timestamp') return this.timestamp
    return this.targetsOf(role)
  }

  /** The state of the site as it is now, to be brought back later. */
  copyFiles(): ReadonlyMap<string, Buffer> {
    return new Map(this.files)
  }

  async serve(): Promise<void> {
    const server = http.createServer((request, response) => this.#answer(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  async close(): Promise<void> {
    this.#server?.closeAllConnections()
    await new Promise(resolve => this.#server?.close(resolve))
  }

  #publishOne(role: string): void {
    const signed = this.partOf(role)
    signed.version += 1
    const bytes = this.store(role)
    if (role === 'root') this.files.set('metadata/root.json', bytes)
    if (role === 'root' || role === 'timestamp') return
    const listing = role === 'snapshot' ? this.timestamp : this.snapshot
    const hashes = this.hashes ? { length: bytes.byteLength, hashes: { sha256: hexOf(digestOf(bytes)) } } : {}
    listing.meta[`${role}.json`] = { version: signed.version, ...hashes }
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const key = decodeURIComponent((request.url ?? '/').slice(1))
    this.requests.push((request.url ?? '/').slice(1))
    const behaviour = this.behaviours.get(key)
    const bytes = this.files.get(key)
    if (behaviour !== undefined) this.#behave(behaviour, response)
    else if (bytes === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': bytes.byteLength }).end(bytes)
  }

  #behave(behaviour: Behaviour, response: http.ServerResponse): void {
    if (behaviour.kind === 'status') {
      response.writeHead(behaviour.status).end()
      return
    }
    response.writeHead(200)
    response.write('{')
    if (behaviour.kind === 'dripping') {
      const timer = setInterval(() => response.write(' '), behaviour.everyMs)
      response.on('close', () => clearInterval(timer))
    }
    if (behaviour.kind === 'endless') this.#pour(response)
  }

  #pour(response: http.ServerResponse): void {
    const block = Buffer.alloc(64 * 1024, ' ')
    const more = () => {
      while (!response.destroyed) {
        this.sentBytes += block.byteLength
        if (!response.write(block)) return
      }
    }
    response.on('drain', more)
    more()
  }
}

/** A client of ours with a trust folder of its own. */
export interface SiteClient {
  readonly folder: string
  /** A repository as installers open it: anew, with what the folder knows. */
  readonly open: (options?: { readonly idleTimeoutMs?: number; readonly fileTimeoutMs?: number }) => TrustedRepository
  readonly refresh: () => Promise<void>
  readonly view: () => TrustedView
  /** The version of each role that the folder trusts. */
  readonly trusted: () => Readonly<Record<string, number>>
}

/** Pin the root that the site shows now. */
export async function siteClient(site: TufSite): Promise<SiteClient> {
  const folder = path.join(tempFolder(), 'trust')
  await pinRoot({ folder, repositoryUrl: site.url })
  site.requests.length = 0
  const retryTools = { wait: async () => {}, random: () => 0 }
  const open = (options = {}) => openRepository({ folder, repositoryUrl: site.url, retryTools, ...options })
  return {
    folder,
    open,
    refresh: () => open().refresh(),
    view: () => openView({ folder, repositoryUrl: site.url, retryTools }),
    trusted: () => trustedVersions(folder),
  }
}

/** Make a site with one application, published and served. */
export async function vendorSite(): Promise<TufSite> {
  const site = new TufSite()
  site.delegate('application-notes', ['notes/releases.json', 'notes/channels/*.json'])
  site.addTarget('application-notes', 'notes/releases.json', emptyReleases)
  site.publish()
  await site.serve()
  return site
}

/** A list of releases without any. */
export const emptyReleases = JSON.stringify({ schema: 1, application: 'notes', releases: [], channels: {} })

/** The key of a role's file. */
export function keyOf(role: string, version: number): string {
  return role === 'timestamp' ? 'metadata/timestamp.json' : `metadata/${version}.${role}.json`
}

function part(type: string): Part {
  return { _type: type, spec_version: '1.0.34', version: 0, expires: future }
}

function trustedVersions(folder: string): Readonly<Record<string, number>> {
  const versions: Record<string, number> = {}
  for (const name of fs
    .readdirSync(folder)
    .filter(file => file.endsWith('.json'))
    .toSorted()) {
    const json = JSON.parse(fs.readFileSync(path.join(folder, name), 'utf8'))
    if (json.signed !== undefined) versions[decodeURIComponent(name.slice(0, -5))] = json.signed.version
  }
  return versions
}
