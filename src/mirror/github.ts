import { ReleaseError } from '../core/error.ts'
import { assetName } from '../core/github.ts'
import { isLoopback } from '../core/loopback.ts'
import type { Environment } from '../registry/credentials.ts'
import { type Opened, type OpenOptions, open, readBytes, resolveUrl } from '../sys/http.ts'
import type { Location, Mirror } from './mirror.ts'
import type { Place } from './place.ts'

type GithubPlace = Place & { readonly kind: 'github' }

/** How a server of GitHub is reached. `token` is sent to the API and nowhere else. */
interface GithubAccess {
  readonly serverUrl: string
  readonly apiUrl: string
  readonly token: string | undefined
}

const largestReleaseBytes = 16 * 1024 * 1024

/**
 * The releases of a repository at GitHub: the files of a version are the assets of the release of its tag.
 *
 * Without a token they are fetched as a browser does. With one (GITHUB_TOKEN or GH_TOKEN), which private repositories need, the API is asked;
 * where it leads to gets no token. GITHUB_SERVER_URL and GITHUB_API_URL name another server, as GitHub's own runners set them.
 * Errors: MIRROR_INVALID (those addresses). Source: docs.github.com, "Linking to releases", "Get a release asset".
 */
export function githubMirror(place: GithubPlace, environment: Environment): Mirror {
  const access = accessOf(environment)
  const releases = new Map<string, Promise<ReadonlyMap<string, number>>>()
  return {
    name: place.name,
    locate: ({ record, artifact }) => {
      const { tag } = record
      const asset = assetName(artifact.name)
      if (tag === undefined || artifact.kind === 'oci') return []
      const path = `${place.owner}/${place.repository}/releases/download/${tag}/${asset}`
      const url = resolveUrl(access.serverUrl, path)
      if (access.token === undefined) return [{ name: url, isLocal: false, open: options => open(url, options) }]
      const assets = (options: OpenOptions) => {
        const listed = releases.get(tag) ?? listAssets(access, place, { tag, options })
        releases.set(tag, listed)
        // Whoever asks next is to find out for themselves.
        listed.catch(() => releases.delete(tag))
        return listed
      }
      return [assetLocation(access, place, { name: url, asset, assets })]
    },
  }
}

interface Asset {
  readonly name: string
  readonly asset: string
  readonly assets: (options: OpenOptions) => Promise<ReadonlyMap<string, number>>
}

function assetLocation(access: GithubAccess, place: GithubPlace, { name, asset, assets }: Asset): Location {
  const openAsset = async (options: OpenOptions): Promise<Opened> => {
    const id = (await assets(options)).get(asset)
    if (id === undefined) return undefined
    const url = resolveUrl(access.apiUrl, `repos/${place.owner}/${place.repository}/releases/assets/${id}`)
    return await open(url, {
      ...options,
      headers: { ...options.headers, ...headersOf(access, 'application/octet-stream') },
    })
  }
  return { name, isLocal: false, open: openAsset }
}

/** List the assets of a tag's release, by name. Errors: HTTP_FAILED, HTTP_TOO_LARGE. */
async function listAssets(
  access: GithubAccess,
  place: GithubPlace,
  { tag, options }: { readonly tag: string; readonly options: OpenOptions },
): Promise<ReadonlyMap<string, number>> {
  const url = resolveUrl(access.apiUrl, `repos/${place.owner}/${place.repository}/releases/tags/${tag}`)
  const { range: _range, ...waits } = options
  const headers = headersOf(access, 'application/vnd.github+json')
  const bytes = await readBytes(url, largestReleaseBytes, { ...waits, headers })
  return bytes === undefined ? new Map() : parseAssets(bytes, url)
}

function parseAssets(bytes: Buffer, url: string): ReadonlyMap<string, number> {
  try {
    const { assets } = JSON.parse(bytes.toString()) as { readonly assets?: unknown }
    const listed = (Array.isArray(assets) ? assets : []) as readonly {
      readonly id?: unknown
      readonly name?: unknown
    }[]
    return new Map(
      listed.flatMap(asset => (Number.isSafeInteger(asset?.id) ? [[String(asset.name), Number(asset.id)]] : [])),
    )
  } catch (caught) {
    throw new ReleaseError('HTTP_FAILED', `${url} answered with something else than a release`, {
      cause: caught,
      details: { url, status: 200 },
    })
  }
}

function headersOf({ token }: GithubAccess, accept: string): Record<string, string> {
  return { accept, authorization: `Bearer ${token}` }
}

function accessOf(environment: Environment): GithubAccess {
  const token = (environment['GITHUB_TOKEN'] || environment['GH_TOKEN'])?.trim()
  return {
    serverUrl: addressOf('GITHUB_SERVER_URL', environment['GITHUB_SERVER_URL'] || 'https://github.com'),
    apiUrl: addressOf('GITHUB_API_URL', environment['GITHUB_API_URL'] || 'https://api.github.com'),
    // What is not printable would end a header, or begin another one.
    token: token !== undefined && /^[\u0021-\u007e]+$/.test(token) ? token : undefined,
  }
}

function addressOf(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (url !== undefined && isPlain && isSafe) return url.href
  throw new ReleaseError('MIRROR_INVALID', `${name} is not an https address`, {
    hint: `set ${name} to the address of the server, or leave it away`,
    details: { variable: name },
  })
}
