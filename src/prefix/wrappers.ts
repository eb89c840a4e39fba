import path from 'node:path'
import { readTextIfExists, writeFileAtomic } from '../sys/files.ts'
import type { PrefixPaths } from './layout.ts'

/** The commands that a prefix has in its `bin/`. */
export const wrapperNames = [
  'install',
  'rollback',
  'recover',
  'status',
  'check',
  'why',
  'history',
  'verify',
  'migrate',
  'gc',
  'settings',
  'serve',
  'gate',
] as const

/**
 * Word a command of a prefix: a shell script that runs `cutover NAME` for this prefix, wherever it is called from or linked to.
 *
 * `--prefix` comes last, so that it stands behind subcommands (`bin/gate status`).
 */
export function wrapperText(name: string, cutover: readonly string[], prefix: string): string {
  const command = [...cutover, name].map(quote).join(' ')
  return `#!/bin/sh\n# Made by cutover init, which makes it again.\nexec ${command} "$@" --prefix ${quote(prefix)}\n`
}

/**
 * Write the commands of a prefix.
 *
 * `cutover` is the interpreter and executable with absolute paths. Post: the names of those that were not there in this form.
 */
export function writeWrappers(paths: PrefixPaths, cutover: readonly string[]): readonly string[] {
  return wrapperNames.filter(name => {
    const file = path.join(paths.bin, name)
    const text = wrapperText(name, cutover, paths.root)
    if (readTextIfExists(file) === text) return false
    writeFileAtomic(file, text, { mode: 0o755 })
    return true
  })
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
