import { ReleaseError } from '../core/error.ts'
import { readBytes, resolveUrl } from '../sys/http.ts'

/** Read a small file of a repository. Errors: REPOSITORY_DAMAGED (missing), HTTP_FAILED, HTTP_TOO_LARGE. */
export async function fetchFile(url: string, key: string, maxBytes: number): Promise<Buffer> {
  const bytes = await readBytes(resolveUrl(url, key), maxBytes)
  if (bytes !== undefined) return bytes
  throw missingFile(key, url)
}

/** Say that a repository lacks a file that it names. */
export function missingFile(key: string, url: string): ReleaseError {
  return new ReleaseError('REPOSITORY_DAMAGED', `${key} is missing at ${url}`, { details: { key, repository: url } })
}
