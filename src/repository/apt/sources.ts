import type { RepositoryDescription } from '../../trust/layout.ts'

/**
 * Render what an apt client adds to its sources, the keys included, for one suite and the components that it wants of it.
 *
 * Source: sources.list(5), deb822 style; an embedded key needs apt 2.4.
 */
export function renderSources(
  description: Pick<RepositoryDescription, 'url' | 'aptKey'>,
  suite: string,
  components: readonly string[],
): string {
  const key = description.aptKey
    .trim()
    .split(/\r?\n/)
    .map(line => (line.trim() === '' ? ' .' : ` ${line}`))
  const lines = ['Types: deb', `URIs: ${description.url}`, `Suites: ${suite}`, `Components: ${components.join(' ')}`]
  return `${lines.join('\n')}\nSigned-By:\n${key.join('\n')}\n`
}
