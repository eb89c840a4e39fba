import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'

const servers = new Set<http.Server>()
// Here, for a hook that is registered while a test runs is never called.
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

/** An asset as the fake keeps it. */
export interface FakeAsset {
  readonly id: number
  name: string
  readonly label: string
  state: 'uploaded' | 'starter'
  readonly bytes: Buffer
}

/** A release as the fake keeps it. */
export interface FakeRelease {
  readonly id: number
  tag_name: string
  name: string
  body: string
  draft: boolean
  prerelease: boolean
  immutable: boolean
  readonly assets: FakeAsset[]
}

/** A call that the fake got. */
export interface SeenCall {
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly headers: http.IncomingHttpHeaders
}

/** What a rule does with a call instead of the usual answer; `act` does what the call asks for without answering. */
export type GithubFault = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  act: () => Promise<void>,
) => unknown

/** What the fake does like GitHub today, or like one of its other forms. */
export interface GithubSettings {
  /** Tell digests of assets. */
  digests: boolean
  /** Make releases immutable when they are published. */
  immutable: boolean
}

/** GitHub's releases in memory, of the repository `ada/notes`, with assets at a host of their own. */
export class FakeGithub {
  readonly releases: FakeRelease[] = []
  readonly calls: SeenCall[] = []
  /** Calls to the host that assets are downloaded from. */
  readonly downloads: SeenCall[] = []
  readonly settings: GithubSettings = { digests: true, immutable: false }
  /** Trees by tag. Tags are annotated. */
  readonly tags = new Map<string, string>()
  /** The release that was last said to be the latest. */
  latestId: number | undefined
  /** Told of each call before and after it was done. */
  onCall: (moment: 'before' | 'after', count: number) => void = () => {}
  readonly #faults: { readonly method: string; readonly path: RegExp; readonly fault: GithubFault; times: number }[] =
    []
  #lastId = 100
  url = ''
  #storageUrl = ''

  async start(): Promise<this> {
    this.url = `http://${await listen((request, response) => this.#answer(request, response))}`
    this.#storageUrl = `http://${await listen((request, response) => this.#download(request, response))}`
    return this
  }

  /** Do something else with the next calls of a method whose path matches. */
  fail(method: string, path: RegExp, fault: GithubFault, times = 1): void {
    this.#faults.push({ method, path, fault, times })
  }

  /** What people see: titles, flags, and the digests of assets by name. */
  published(): readonly object[] {
    return this.releases
      .filter(({ draft }) => !draft)
      .map(({ tag_name, name, prerelease, body, assets }) => ({
        tag_name,
        name,
        prerelease,
        body,
        assets: assets.map(asset => `${asset.name} ${asset.state} ${digestOf(asset.bytes)}`).sort(),
      }))
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    const seen = { method, path: url.replace('/repos/ada/notes', ''), authorization: headers.authorization, headers }
    this.calls.push(seen)
    const count = this.calls.length
    this.onCall('before', count)
    const rule = this.#faults.find(each => each.times > 0 && each.method === method && each.path.test(seen.path))
    if (rule !== undefined) {
      rule.times -= 1
      await rule.fault(request, response, async () => void (await this.#act(request, seen)))
      return
    }
    try {
      const { status, body } = await this.#act(request, seen)
      this.onCall('after', count)
      response.writeHead(status, {
        'content-type': 'application/json',
        ...(body instanceof URL ? { location: body.href } : {}),
      })
      response.end(body === undefined || body instanceof URL ? undefined : JSON.stringify(body))
    } catch {
      // The caller is gone.
      response.destroy()
    }
  }

  #download(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { method = '', url = '', headers } = request
    this.downloads.push({ method, path: url, authorization: headers.authorization, headers })
    const id = Number(url.split('?')[0]?.slice(1))
    const asset = this.releases.flatMap(({ assets }) => assets).find(each => each.id === id)
    response.writeHead(asset === undefined ? 404 : 200).end(asset?.bytes)
  }

  async #act(request: http.IncomingMessage, seen: SeenCall): Promise<{ status: number; body?: unknown }> {
    const { pathname, searchParams } = new URL(seen.path, 'http://fake')
    const bytes = await readBody(request)
    const [, first = '', second = '', third = ''] = pathname.split('/').map(decodeURIComponent)
    if (first === '') return { status: 200, body: { permissions: { push: true } } }
    if (first === 'git') return this.#git(second, third)
    if (first !== 'releases') return missing
    if (second === 'assets') return this.#asset(seen, Number(third))
    if (second === 'tags') return this.#found(this.releases.find(each => !each.draft && each.tag_name === third))
    if (second === 'latest') return this.#found(this.#latest())
    const release = this.releases.find(({ id }) => id === Number(second))
    if (third === 'assets') return this.#assets(seen, release, { searchParams, bytes })
    const json = bytes.byteLength === 0 ? {} : (JSON.parse(bytes.toString()) as Partial<FakeRelease> & MakeLatest)
    if (seen.method === 'POST') return this.#create(json)
    if (second === '')
      return { status: 200, body: page(this.releases.map(each => this.#render(each)).reverse(), searchParams) }
    if (release === undefined) return missing
    if (seen.method === 'DELETE') {
      this.releases.splice(this.releases.indexOf(release), 1)
      return { status: 204 }
    }
    return seen.method === 'PATCH' ? this.#change(release, json) : this.#found(release)
  }

  #git(kind: string, name: string): { status: number; body?: unknown } {
    const tag = kind === 'ref' ? name.replace(/^tags\//, '') : name.replace(/^(tag|commit)-/, '')
    const tree = this.tags.get(tag)
    if (tree === undefined) return missing
    if (kind === 'ref') return { status: 200, body: { object: { type: 'tag', sha: `tag-${tag}` } } }
    if (kind === 'tags') return { status: 200, body: { object: { type: 'commit', sha: `commit-${tag}` } } }
    return { status: 200, body: { sha: `commit-${tag}`, tree: { sha: tree } } }
  }

  #create(json: Partial<FakeRelease>): { status: number; body?: unknown } {
    const { tag_name = '', name = '', body = '', draft = false, prerelease = false } = json
    if (this.releases.some(each => !each.draft && each.tag_name === tag_name)) return refused('already_exists')
    const release = { id: this.#nextId(), tag_name, name, body, draft, prerelease, immutable: false, assets: [] }
    this.releases.push(release)
    return { status: 201, body: this.#render(release) }
  }

  #change(release: FakeRelease, json: Partial<FakeRelease> & MakeLatest): { status: number; body?: unknown } {
    const { name, body, draft, prerelease, make_latest } = json
    if (release.immutable && (prerelease ?? release.prerelease) !== release.prerelease) return refused('custom')
    if (draft === false && !this.tags.has(release.tag_name)) return refused('missing')
    const isPublished = release.draft && draft === false
    if (isPublished && this.releases.some(each => !each.draft && each.tag_name === release.tag_name)) {
      return refused('already_exists')
    }
    Object.assign(release, { name: name ?? release.name, body: body ?? release.body })
    Object.assign(release, { draft: draft ?? release.draft, prerelease: prerelease ?? release.prerelease })
    if (make_latest === 'true') this.latestId = release.id
    if (make_latest === 'false' && this.latestId === release.id) this.latestId = undefined
    if (isPublished && this.settings.immutable) release.immutable = true
    return { status: 200, body: this.#render(release) }
  }

  #assets(
    { method }: SeenCall,
    release: FakeRelease | undefined,
    { searchParams, bytes }: { searchParams: URLSearchParams; bytes: Buffer },
  ): { status: number; body?: unknown } {
    if (release === undefined) return missing
    if (method === 'GET')
      return {
        status: 200,
        body: page(
          release.assets.map(asset => this.#renderAsset(asset)),
          searchParams,
        ),
      }
    if (release.immutable) return refused('custom')
    const name = renamed(searchParams.get('name') ?? '')
    if (release.assets.some(asset => asset.name === name)) return refused('already_exists')
    const asset = {
      id: this.#nextId(),
      name,
      label: searchParams.get('label') ?? '',
      state: 'uploaded',
      bytes,
    } as const
    release.assets.push({ ...asset })
    return { status: 201, body: this.#renderAsset(asset) }
  }

  #asset({ method, headers }: SeenCall, id: number): { status: number; body?: unknown } {
    const release = this.releases.find(({ assets }) => assets.some(asset => asset.id === id))
    const asset = release?.assets.find(each => each.id === id)
    if (release === undefined || asset === undefined) return missing
    if (method === 'DELETE') {
      if (release.immutable) return refused('custom')
      release.assets.splice(release.assets.indexOf(asset), 1)
      return { status: 204 }
    }
    const isDownload = headers.accept === 'application/octet-stream'
    return isDownload
      ? { status: 302, body: new URL(`/${id}?signature=s3cret`, this.#storageUrl) }
      : { status: 200, body: this.#renderAsset(asset) }
  }

  #found(release: FakeRelease | undefined): { status: number; body?: unknown } {
    return release === undefined ? missing : { status: 200, body: this.#render(release) }
  }

  #latest(): FakeRelease | undefined {
    const all = this.releases.filter(({ draft, prerelease }) => !draft && !prerelease)
    return all.find(({ id }) => id === this.latestId) ?? all.at(-1)
  }

  #render(release: FakeRelease): object {
    const { assets, ...told } = release
    return {
      ...told,
      html_url: `${this.url}/ada/notes/releases/tag/${release.tag_name}`,
      upload_url: `${this.url}/repos/ada/notes/releases/${release.id}/assets{?name,label}`,
      assets: assets.map(asset => this.#renderAsset(asset)),
    }
  }

  #renderAsset({ bytes, ...told }: FakeAsset): object {
    const digest = this.settings.digests && told.state === 'uploaded' ? digestOf(bytes) : null
    return { ...told, size: bytes.byteLength, digest }
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }
}

interface MakeLatest {
  readonly make_latest?: string
}

const missing = { status: 404, body: { message: 'Not Found' } }

function refused(code: string): { status: number; body: unknown } {
  return { status: 422, body: { message: 'Validation Failed', errors: [{ code }] } }
}

/** As GitHub does it with what it does not like in a name. */
function renamed(name: string): string {
  return name.replace(/[^A-Za-z0-9_+.-]+/g, '.')
}

function page(items: readonly unknown[], query: URLSearchParams): readonly unknown[] {
  const size = Number(query.get('per_page') ?? 30)
  return items.slice((Number(query.get('page') ?? 1) - 1) * size).slice(0, size)
}

async function readBody(request: http.IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

async function listen(answer: http.RequestListener): Promise<string> {
  const server = http.createServer(answer)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  servers.add(server)
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Answer with a status. */
export function answer(status: number, headers: http.OutgoingHttpHeaders = {}, body: object = {}): GithubFault {
  return (request, response) => {
    request.resume()
    request.once('end', () => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    })
  }
}

/** Break the connection once that many bytes of the body have come, and do nothing. */
export function cutAfter(bodyBytes: number): GithubFault {
  return request => {
    let left = bodyBytes
    request.on('data', piece => {
      left -= (piece as Buffer).byteLength
      if (left <= 0) request.socket.destroy()
    })
  }
}

/** Do what is asked, and break the connection instead of answering. */
export const loseAnswer: GithubFault = async (request, _response, act) => {
  await act()
  request.socket.destroy()
}
