import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../../core/error.ts'
import type { Environment } from './tools.ts'

/** What proves to a server who asks. Never written anywhere. */
export interface Credentials {
  readonly user: string
  readonly password: string
}

/**
 * Find the credentials for a server in a netrc file: the one that CUTOVER_NETRC or NETRC names, else ~/.netrc.
 *
 * An entry for HOST:PORT goes before one for HOST; `default` is not used, for it would hand a password to every server.
 * Errors: TARGET_CREDENTIALS (others may read the file, it is not there though it was named, it cannot be read), without anything of its content.
 * Source: ftp(1) "THE .netrc FILE"; curl's manual, --netrc.
 */
export function findNetrcCredentials(url: URL, environment: Environment): Credentials | undefined {
  const named = environment['CUTOVER_NETRC'] || environment['NETRC']
  const home = environment['HOME']
  const file = named || (home ? path.join(home, '.netrc') : undefined)
  if (file === undefined) return undefined
  const text = readPrivately(file, named !== undefined && named !== '')
  if (text === undefined) return undefined
  const entries = parseNetrc(text)
  if (entries === undefined)
    throw new ReleaseError('TARGET_CREDENTIALS', `${file} is not a netrc file`, { details: { path: file } })
  return entries.get(url.host) ?? entries.get(url.hostname)
}

/** Read the machines of a netrc file; undefined when it is none. Those without login or password are left out. */
export function parseNetrc(text: string): ReadonlyMap<string, Credentials> | undefined {
  const entries = new Map<string, Credentials>()
  let machine: string | undefined
  let [user, password] = ['', '']
  const finish = () => {
    // The first entry for a machine counts.
    if (machine !== undefined && user !== '' && password !== '' && !entries.has(machine)) {
      entries.set(machine, { user, password })
    }
    ;[user, password] = ['', '']
  }
  const words = wordsOf(text)
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === 'default') {
      finish()
      machine = undefined
      continue
    }
    const value = words.shift()
    if (value === undefined) return undefined
    if (word === 'machine') {
      finish()
      machine = value
    } else if (word === 'login') user = value
    else if (word === 'password') password = value
    else if (word !== 'account') return undefined
  }
  finish()
  return entries
}

/** Words, which quotes and backslashes may hold together; without comments and macros, which go on to an empty line. */
function wordsOf(text: string): string[] {
  const lines = text.replace(/^macdef[^\n]*\n(?:[^\n]+\n)*/gm, '').split('\n')
  const words = lines.filter(line => !/^\s*#/.test(line)).flatMap(line => line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [])
  return words.map(word => (word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, '$1') : word))
}

function readPrivately(file: string, isNamed: boolean): string | undefined {
  try {
    const descriptor = fs.openSync(file, 'r')
    try {
      if ((fs.fstatSync(descriptor).mode & 0o077) !== 0) {
        throw new ReleaseError('TARGET_CREDENTIALS', `others than you may read ${file}`, {
          hint: `run chmod 600 ${file}`,
          details: { path: file },
        })
      }
      return fs.readFileSync(descriptor, 'utf8')
    } finally {
      fs.closeSync(descriptor)
    }
  } catch (caught) {
    if (!isNamed && isErrno(caught, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined
    throw toReleaseError(caught)
  }
}
