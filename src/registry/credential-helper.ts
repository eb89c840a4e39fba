import { ReleaseError } from '../core/error.ts'
import { tryExecute } from '../sys/exec.ts'
import type { Environment } from './credentials.ts'
import type { Credentials } from './parse-credentials.ts'
import type { RegistryTools } from './retry.ts'

/** What the protocol has a helper print when it knows nothing. Source: docker-credential-helpers, `credentials/error.go`. */
const unknown = 'credentials not found in native keychain'
/** The user name that marks the secret as an identity token. Source: docker-credential-helpers, README. */
const identityUser = '<token>'
const timeoutMs = 30_000

/**
 * Ask a credential helper for a registry, under each name that it may have there.
 *
 * The program `docker-credential-NAME` is run without a shell, `get` as its only argument, the registry on its standard input.
 * Errors: REGISTRY_CREDENTIALS; what the helper printed is never part of it.
 */
export async function askHelper(
  name: string,
  servers: readonly string[],
  environment: Environment,
  tools: RegistryTools,
): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw failed(JSON.stringify(name.slice(0, 80)), 'has no valid name')
  const program = `docker-credential-${name}`
  for (const server of servers) {
    const answer = await run(program, server, environment, tools.signal)
    if (answer.exitCode === 0) return parseAnswer(program, answer.stdout)
    if (answer.stdout.trim() !== unknown) throw failed(program, `ended with exit code ${answer.exitCode}`)
  }
  return undefined
}

async function run(program: string, server: string, environment: Environment, signal: AbortSignal) {
  const defined = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined)
  try {
    return await tryExecute([program, 'get'], {
      input: server,
      environment: Object.fromEntries(defined),
      timeoutMs,
      signal,
    })
  } catch (caught) {
    if (signal.aborted) throw signal.reason
    // Not as the cause: its message quotes what the helper printed, which is the password.
    throw failed(program, `could not be asked (${caught instanceof ReleaseError ? caught.code : 'INTERNAL'})`)
  }
}

function parseAnswer(program: string, text: string): Credentials {
  const { Username: user, Secret: secret } = parseObject(program, text)
  if (typeof user !== 'string' || typeof secret !== 'string') throw failed(program, 'gave no user and secret')
  if (user === identityUser) return { kind: 'identity', token: secret }
  return { kind: 'password', user, password: secret }
}

function parseObject(program: string, text: string): { readonly Username?: unknown; readonly Secret?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Said below: the message of the cause would quote the answer.
  }
  throw failed(program, 'gave no JSON')
}

function failed(program: string, what: string): ReleaseError {
  return new ReleaseError('REGISTRY_CREDENTIALS', `the credential helper ${program} ${what}`, {
    hint: 'run it by hand, or take it out of credHelpers and credsStore in the credentials file',
    details: { program },
  })
}
