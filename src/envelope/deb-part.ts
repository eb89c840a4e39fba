import { ReleaseError } from '../core/error.ts'
import type { SmallEntry } from './small-tar.ts'

/** The scripts that dpkg runs, in the order of a package's life. Source: Debian policy §6.5. */
export const scriptNames = ['preinst', 'postinst', 'prerm', 'postrm'] as const
/** A maintainer script. */
export type ScriptName = (typeof scriptNames)[number]

/** What a feature (units, a user, alternatives, …) adds to a package. */
export interface DebPart {
  readonly entries?: readonly SmallEntry[]
  /** Shell text, to be put into the script of that name; it ends with a line end. */
  readonly scripts?: Readonly<Partial<Record<ScriptName, string>>>
  /** What it needs to be installed. */
  readonly depends?: readonly string[]
}

/**
 * Put the scripts of a package together from those of its parts.
 *
 * What installs (preinst, postinst) runs in the order of the parts, what removes (prerm, postrm) in reverse. Text of each is `#!/bin/sh` with
 * `set -e`: what fails stops dpkg. Shape: no script where no part has one.
 */
export function renderScripts(parts: readonly DebPart[]): ReadonlyMap<ScriptName, string> {
  const rendered = scriptNames.map(name => {
    const ordered = name === 'prerm' || name === 'postrm' ? parts.toReversed() : parts
    return [name, ordered.flatMap(part => part.scripts?.[name] ?? [])] as const
  })
  return new Map(
    rendered.flatMap(([name, texts]) =>
      texts.length === 0 ? [] : [[name, `#!/bin/sh\nset -e\n\n${texts.join('\n')}`]],
    ),
  )
}

/** Shell text that a recipe gives for each script, without `#!`. */
export type DebScripts = Readonly<Partial<Record<ScriptName, string | undefined>>>

/** Run a recipe's own text, each in a subshell: `exit 0` in it ends it alone. Errors: DEB_FIELD (text with its own `#!`). */
export function ownScripts(scripts: DebScripts): DebPart {
  const texts = scriptNames.flatMap(name => {
    const text = scripts[name]
    return text === undefined || text.trim() === '' ? [] : [[name, subshell(text)] as const]
  })
  return { scripts: Object.fromEntries(texts) }
}

function subshell(text: string): string {
  if (text.startsWith('#!')) {
    throw new ReleaseError('DEB_FIELD', 'a maintainer script begins with #!, expected shell text alone', {
      hint: 'remove the first line of the script in the recipe: /bin/sh runs it',
    })
  }
  return `(\n${text.trimEnd()}\n)\n`
}

/** Shell text for whenever a package becomes configured, also when a removal or an upgrade was given up. Source: Debian policy §6.6. */
export function whenConfigured(lines: readonly string[]): string {
  return `case "$1" in configure|abort-upgrade|abort-remove|abort-deconfigure)\n${indented(lines)}\n  ;;\nesac\n`
}

/** Shell text for when dpkg calls with one of some words. */
export function whenCalled(words: readonly string[], lines: readonly string[]): string {
  return `case "$1" in ${words.join('|')})\n${indented(lines)}\n  ;;\nesac\n`
}

/** Write a word so that the shell takes it as it is. Errors: DEB_FIELD (a control character, which no name of ours needs). */
export function shellWord(text: string): string {
  if (/[\u0000-\u001f\u007f]/.test(text)) {
    throw new ReleaseError('DEB_FIELD', `${JSON.stringify(text)} holds a control character and cannot be in a script`)
  }
  return `'${text.replaceAll("'", "'\\''")}'`
}

function indented(lines: readonly string[]): string {
  return lines.map(line => `  ${line}`).join('\n')
}
