import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { parseJson } from '../sys/files.ts'
import { askHelper } from './credential-helper.ts'
import {
  type Credentials,
  type CredentialsFile,
  chooseEntry,
  chooseHelper,
  parseCredentialsFile,
} from './parse-credentials.ts'
import { type RepositoryName, storedNames } from './reference.ts'
import type { RegistryTools } from './retry.ts'

/** The environment variables that say where credentials are. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Find what the user has stored for a repository of images; undefined when there is nothing, for much can be read without.
 *
 * The first file that knows something decides. In a file: the credential helper of the registry, the store for all registries, then the most
 * specific entry (`HOST/PATH/NAME`, `HOST/PATH`, `HOST`).
 * Post: a warning when others may read the file that it came from. Errors: REGISTRY_CREDENTIALS, without anything that a file or helper said.
 * Source: containers-auth.json(5), docker-login(1).
 */
export async function findCredentials(
  name: RepositoryName,
  environment: Environment,
  tools: RegistryTools,
): Promise<Credentials | undefined> {
  for (const file of credentialFiles(environment)) {
    const content = readFile(file)
    if (content === undefined) continue
    const helper = chooseHelper(content.file, name)
    const asked =
      helper === undefined ? undefined : await askHelper(helper, storedNames(name.registry), environment, tools)
    if (asked !== undefined) return asked
    const entry = chooseEntry(content.file, name)
    if (entry === undefined) continue
    if (content.isExposed) {
      tools.warn('REGISTRY_CREDENTIALS', `others may read ${file}, which holds a password: run chmod 600 ${file}`)
    }
    return entry
  }
  return undefined
}

/** List the files that credentials are looked for in, in order. Source: containers-auth.json(5), "DESCRIPTION"; docker(1), DOCKER_CONFIG. */
export function credentialFiles(environment: Environment): readonly string[] {
  const { REGISTRY_AUTH_FILE, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, DOCKER_CONFIG, HOME } = environment
  if (REGISTRY_AUTH_FILE) return [REGISTRY_AUTH_FILE]
  const runtime = XDG_RUNTIME_DIR || `/run/containers/${process.getuid?.() ?? 0}`
  const configuration = XDG_CONFIG_HOME || (HOME && path.join(HOME, '.config'))
  const docker = DOCKER_CONFIG || (HOME && path.join(HOME, '.docker'))
  return [
    path.join(runtime, XDG_RUNTIME_DIR ? 'containers/auth.json' : 'auth.json'),
    ...(configuration ? [path.join(configuration, 'containers/auth.json')] : []),
    ...(docker ? [path.join(docker, 'config.json')] : []),
  ]
}

function readFile(file: string): { readonly file: CredentialsFile; readonly isExposed: boolean } | undefined {
  let text: string
  let mode: number
  try {
    const descriptor = fs.openSync(file, 'r')
    try {
      mode = fs.fstatSync(descriptor).mode
      text = fs.readFileSync(descriptor, 'utf8')
    } finally {
      fs.closeSync(descriptor)
    }
  } catch (caught) {
    // The folder of another user's session may not even be looked into.
    if (isErrno(caught, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined
    throw toReleaseError(caught)
  }
  if (text.trim() === '') return undefined
  return { file: parse(text, file), isExposed: (mode & 0o077) !== 0 }
}

function parse(text: string, file: string): CredentialsFile {
  try {
    return parseCredentialsFile(parseJson(text, file))
  } catch {
    // The cause would quote from the file, and what stands there may be a password.
    throw new ReleaseError('REGISTRY_CREDENTIALS', `${file} is not a credentials file`, { details: { path: file } })
  }
}
