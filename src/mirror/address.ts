import { open, resolveUrl } from '../sys/http.ts'
import type { Location } from './mirror.ts'

/** A key below an address that sys/http.ts opens. */
export function addressLocation(base: string, key: string): Location {
  const url = resolveUrl(base, key)
  return { name: url, isLocal: /^(?:file|bundle):/.test(url), open: options => open(url, options) }
}
