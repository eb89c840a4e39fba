import { fileURLToPath } from 'node:url'
import { isLoopback } from '../../core/loopback.ts'
import type { RepositoryDescription } from '../../trust/layout.ts'
import { hrefOf } from './html.ts'

/** Where clients reach a repository, as far as their commands differ by it. */
export type Place =
  | { readonly kind: 'folder'; readonly url: string; readonly folder: string }
  | {
      readonly kind: 'web'
      /** Without a slash at the end. */
      readonly url: string
      /** With the port, as registries are named. */
      readonly host: string
      readonly hostname: string
      /** Below the root of the host, where registry clients do not look. */
      readonly isBelowRoot: boolean
      /** Whether clients that insist on TLS must be told that there is none. */
      readonly isPlain: boolean
    }

/** Tell what kind of address a repository has. */
export function placeOf({ url }: Pick<RepositoryDescription, 'url'>): Place {
  const address = url.replace(/\/+$/, '')
  if (address.startsWith('file:')) return { kind: 'folder', url: address, folder: fileURLToPath(address) }
  const { host, hostname, pathname, protocol } = new URL(address)
  return {
    kind: 'web',
    url: address,
    host,
    hostname,
    isBelowRoot: pathname !== '/',
    isPlain: protocol === 'http:' && !isLoopback(hostname),
  }
}

/** Write a text as one word of a shell's command line. Source: POSIX XCU 2.2.2 (single quotes). */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-][A-Za-z0-9_@%+=:,./~-]*$/.test(text)) return text
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** Write the address of a file of the repository as a word of a command line. */
export function addressOf(place: Place, key: string): string {
  return shellWord(`${place.url}/${hrefOf(key)}`)
}

/** Write the command that brings a file of the repository to a place on the client. */
export function fetchCommand(place: Place, key: string, to: string): string {
  if (place.kind === 'folder') return `cp ${shellWord(`${place.folder}/${key}`)} ${shellWord(to)}`
  return `curl -fsSL -o ${shellWord(to)} ${addressOf(place, key)}`
}
