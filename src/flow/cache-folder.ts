import path from 'node:path'

/**
 * Find the folder for what can be fetched or made again: of the user, so that every clone gains; undefined where there is none.
 *
 * Source: XDG Base Directory Specification.
 */
export function cacheFolder(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { XDG_CACHE_HOME, HOME } = environment
  const caches = XDG_CACHE_HOME || (HOME && path.join(HOME, '.cache'))
  return caches && path.isAbsolute(caches) ? path.join(caches, 'cutover') : undefined
}
