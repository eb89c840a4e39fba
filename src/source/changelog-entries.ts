import { isVersion } from '../core/version.ts'

/** A release as a changelog tells of it. */
export interface ChangelogEntry {
  readonly version: string
  /** Midnight (UTC) of its day, in seconds since 1970. */
  readonly timeSeconds: number
  /** Markdown below its heading. */
  readonly changes: string
}

/**
 * Read the releases of a changelog, in its order. A section whose heading has no version or no date is passed over.
 *
 * Source: keepachangelog.com/en/1.1.0, as {@link addToChangelog} writes it.
 */
export function readChangelog(text: string): readonly ChangelogEntry[] {
  const sections = text.split(/^(?=## )/m).slice(1)
  return sections.flatMap(section => {
    const [, version = '', date = ''] =
      /^## \[?([^\]\s]+)\]?(?:\([^)]*\))?\s+-\s+(\d{4}-\d{2}-\d{2})\s*$/m.exec(section) ?? []
    const timeMs = Date.parse(date)
    if (!section.startsWith('## ') || !isVersion(version) || Number.isNaN(timeMs)) return []
    const body = section.slice(section.indexOf('\n') + 1)
    // Definitions of links stand at the end of the file.
    return [{ version, timeSeconds: timeMs / 1000, changes: body.replaceAll(/^\[[^\]\n]+\]: .*$/gm, '').trim() }]
  })
}
