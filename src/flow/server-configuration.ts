import path from 'node:path'
import { nginxFile, renderNginx } from '../repository/nginx.ts'
import { writeFileAtomic } from '../sys/files.ts'
import type { RepositoryDescription } from '../trust/layout.ts'

/** Where `release serve` listens unless told otherwise; nginx passes what pulls images on to it. */
export const defaultListen = '127.0.0.1:8080'

/**
 * Write the configuration of nginx for a repository that is a folder. Returns where it is; undefined for a path that nginx cannot be told.
 *
 * Post: as it was when nothing changed, for whoever compares times.
 */
export function writeServerConfiguration(
  folder: string,
  { name, url }: Pick<RepositoryDescription, 'name' | 'url'>,
): string | undefined {
  const text = renderNginx({ name, root: folder, url, registry: defaultListen })
  if (text === undefined) return undefined
  const file = path.join(folder, nginxFile)
  writeFileAtomic(file, text)
  return file
}
