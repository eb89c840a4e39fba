import { type DebPart, shellWord, whenCalled, whenConfigured } from './deb-part.ts'

/** A name that packages share, and what leads to this package's file. Paths are without the leading slash. */
export interface DebAlternativeLink {
  readonly name: string
  /** The link that everyone uses. */
  readonly link: string
  /** The file of this package. */
  readonly path: string
}

/** An alternative with the links that follow it. */
export interface DebAlternative extends DebAlternativeLink {
  readonly priority: number
  readonly slaves: readonly DebAlternativeLink[]
}

/**
 * Register alternatives when the package is configured, and take them back before it is removed.
 *
 * Errors: DEB_FIELD. Source: update-alternatives(1), dh_installalternatives(1).
 */
export function alternativesPart(alternatives: readonly DebAlternative[]): DebPart {
  if (alternatives.length === 0) return {}
  const removals = alternatives.map(
    ({ name, path }) => `update-alternatives --remove ${shellWord(name)} ${shellWord(`/${path}`)}`,
  )
  return {
    scripts: {
      postinst: whenConfigured(alternatives.map(installLine)),
      prerm: whenCalled(['remove'], removals),
    },
  }
}

function installLine({ priority, slaves, ...link }: DebAlternative): string {
  const followers = slaves.map(slave => ` --slave ${linkWords(slave)}`)
  return `update-alternatives --install ${linkWords(link)} ${priority}${followers.join('')}`
}

function linkWords({ name, link, path }: DebAlternativeLink): string {
  return [`/${link}`, name, `/${path}`].map(shellWord).join(' ')
}
