import fs from 'node:fs'
import { type ErrorEntry, errorCodes } from '../../src/core/codes.ts'

const catalogue = new URL('../../src/core/codes.ts', import.meta.url)

const exitCodes: Readonly<Record<ErrorEntry['exitCode'], string>> = {
  1: 'failed',
  2: 'usage',
  3: 'not trusted',
  4: 'needs recovery',
  5: 'busy',
}

/** Word the error catalogue as Markdown: a table for each of its sections, codes in order of the alphabet. */
export function errorsMarkdown(): string {
  const entries: Readonly<Record<string, ErrorEntry>> = errorCodes
  const tables = sections().map(({ title, codes }) => {
    const rows = codes.toSorted().map(code => {
      const { exitCode, retryable, meaning, hint } = entries[code]!
      const ends = `${exitCode} ${exitCodes[exitCode]}${retryable ? ', may pass' : ''}`
      return `| \`${code}\` | ${cell(meaning)} | ${cell(hint)} | ${ends} |`
    })
    return [`## ${title}`, '', '| Code | What happened | What to do | Exit |', '|---|---|---|---|', ...rows].join('\n')
  })
  return `${[
    '# Errors',
    '',
    'Generated from `src/core/codes.ts` by `npm run generate`; do not edit.',
    '',
    'Every error has a code that stays, a message that says what failed on which path, version or digest, and a hint. With `--json` it is the',
    'member `error` of the event `run-failed`. *Exit* is the exit code of the process; what *may pass* can be run again as it is. The hint below is',
    'the general one; where the place of the error knows better, it says so.',
    '',
    tables.join('\n\n'),
  ].join('\n')}\n`
}

/** The sections of the catalogue are comments in it, `// area` on a line of its own: for people there, for the headings here. */
function sections(): readonly { readonly title: string; readonly codes: readonly string[] }[] {
  const found: { title: string; codes: string[] }[] = []
  for (const line of fs.readFileSync(catalogue, 'utf8').split('\n')) {
    const title = /^ {2}\/\/ (.+)$/.exec(line)?.[1]
    if (title !== undefined) found.push({ title: title.charAt(0).toUpperCase() + title.slice(1), codes: [] })
    const code = /^ {2}([A-Z][A-Z0-9_]*): entry\(/.exec(line)?.[1]
    if (code !== undefined) found.at(-1)?.codes.push(code)
  }
  return found
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
