import { ReleaseError } from '../core/error.ts'
import { readAnswer } from '../sys/exchange.ts'
import type { RegistryAnswer, RegistryClient } from './client.ts'

const largestPageBytes = 4 * 1024 * 1024
const mostPages = 100

/** List the tags of a repository, in the registry's order. Errors: REGISTRY_UNKNOWN, REGISTRY_PROTOCOL. Source: distribution-spec §Listing tags. */
export async function listTags(client: RegistryClient): Promise<readonly string[]> {
  const tags: string[] = []
  for await (const { page } of pages(client, 'tags/list?n=1000', 'list tags')) {
    const list = (page as { readonly tags?: unknown }).tags ?? []
    if (!Array.isArray(list)) throw protocolError(client, 'list tags')
    tags.push(...list.filter(tag => typeof tag === 'string'))
  }
  return tags
}

/**
 * Read a list of several pages, each naming the next in its Link header.
 *
 * Post: at most 100 pages, all of the registry's own origin. Errors: REGISTRY_PROTOCOL, those of {@link RegistryClient.send}.
 * Source: RFC 8288 §3, distribution-spec §Listing tags.
 */
export async function* pages(
  client: RegistryClient,
  first: string,
  what: string,
  expect: readonly number[] = [200],
): AsyncGenerator<{ readonly answer: RegistryAnswer; readonly page: object }> {
  let to: string | URL = first
  for (let count = 1; count <= mostPages; count += 1) {
    const answer: RegistryAnswer = await client.send({ method: 'GET', to, what, expect })
    if (answer.status !== 200) {
      await answer.finish()
      yield { answer, page: {} }
      return
    }
    yield { answer, page: parsePage(client, await readAnswer(answer, largestPageBytes, what), what) }
    const next = nextLink(answer.header('link'))
    if (next === undefined) return
    const url = client.follow(next, answer.url)
    if (url.origin !== answer.url.origin) throw protocolError(client, what)
    to = url
  }
  throw protocolError(client, what)
}

/** Read where the next page is: `<ADDRESS>; rel="next"`. */
export function nextLink(header: string | undefined): string | undefined {
  return /(?:^|,)\s*<([^<>]*)>\s*;\s*rel="?next"?\s*(?:[,;]|$)/.exec(header ?? '')?.[1]
}

function parsePage(client: RegistryClient, bytes: Buffer, what: string): object {
  try {
    const value: unknown = JSON.parse(bytes.toString())
    if (typeof value === 'object' && value !== null) return value
  } catch (caught) {
    throw protocolError(client, what, caught)
  }
  throw protocolError(client, what)
}

function protocolError({ name }: RegistryClient, what: string, cause?: unknown): ReleaseError {
  return new ReleaseError('REGISTRY_PROTOCOL', `${name.registry}/${name.repository}: ${what}: not a list`, {
    cause,
    details: { registry: name.registry, repository: name.repository },
  })
}
