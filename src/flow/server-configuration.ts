import type { RepositoryDescription } from '../trust/layout.ts'

/** Write the configuration of a web server that serves a repository's folder. */
export function writeServerConfiguration(folder: string, description: RepositoryDescription): string {
  return `${folder} ${description.name}`
}
