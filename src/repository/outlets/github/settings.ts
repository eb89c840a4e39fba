import { ReleaseError } from '../../../core/error.ts'
import { isLoopback } from '../../../core/loopback.ts'
import type { Environment } from '../../../registry/credentials.ts'
import { readSecret } from '../../../sys/secret-file.ts'

/** How GitHub is spoken to. */
export interface GithubSettings {
  /** Never written anywhere. */
  readonly token: string
  /** Without a slash at its end. */
  readonly apiUrl: URL
}

const publicApi = 'https://api.github.com'

/**
 * Find the token and the address of GitHub's API.
 *
 * Shape: the token is GITHUB_TOKEN or GH_TOKEN, or in the file that GITHUB_TOKEN_FILE or GH_TOKEN_FILE names; the address is GITHUB_API_URL, as
 * GitHub's own runners set it.
 * Errors: GITHUB_AUTH (no token, or its file cannot be read), OUTLET_INVALID (the address).
 */
export function readGithubSettings(environment: Environment, cwd: string): GithubSettings {
  const apiUrl = parseApiUrl(environment['GITHUB_API_URL'] || publicApi)
  for (const name of ['GITHUB_TOKEN', 'GH_TOKEN'] as const) {
    const token = environment[name]?.trim() || readTokenFile(environment[`${name}_FILE`], cwd)
    if (token === undefined) continue
    // What is not printable would end a header, or begin another one.
    if (/^[\u0021-\u007e]+$/.test(token)) return { token, apiUrl }
    throw new ReleaseError('GITHUB_AUTH', `what ${name} gives is not a token: it has characters that no token has`)
  }
  throw new ReleaseError('GITHUB_AUTH', 'there is no token for GitHub')
}

function readTokenFile(file: string | undefined, cwd: string): string | undefined {
  if (file === undefined || file === '') return undefined
  try {
    return readSecret(file, cwd)
  } catch (caught) {
    throw new ReleaseError('GITHUB_AUTH', `the token for GitHub cannot be read from ${file}`, {
      cause: caught,
      details: { path: file },
    })
  }
}

function parseApiUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === ''
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
  if (url !== undefined && isPlain && isSafe) return url
  throw new ReleaseError(
    'OUTLET_INVALID',
    `GITHUB_API_URL is not an https address: ${JSON.stringify(url?.origin ?? text)}`,
    {
      hint: 'set GITHUB_API_URL to the address of the API, such as https://github.example.org/api/v3',
    },
  )
}
