import { type ErrorEntry, errorAreas } from '../../src/core/codes.ts'

const exitCodes: Readonly<Record<ErrorEntry['exitCode'], string>> = {
  1: 'failed',
  2: 'usage',
  3: 'not trusted',
  4: 'needs recovery',
  5: 'busy',
}

/** Word the error catalogue as Markdown: a table for each of its areas, codes in order of the alphabet. */
export function errorsMarkdown(): string {
  const tables = Object.entries(errorAreas).map(([area, entries]) => {
    const rows = Object.entries<ErrorEntry>(entries)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, { exitCode, retryable, meaning, hint }]) => {
        const ends = `${exitCode} ${exitCodes[exitCode]}${retryable ? ', may pass' : ''}`
        return `| \`${code}\` | ${cell(meaning)} | ${cell(hint)} | ${ends} |`
      })
    return [`## ${area}`, '', '| Code | What happened | What to do | Exit |', '|---|---|---|---|', ...rows].join('\n')
  })
  return `${[
    '# Errors',
    '',
    'Generated from `src/core/codes/` by `npm run generate`; do not edit.',
    '',
    'Every error has a code that stays, a message that says what failed on which path, version or digest, and a hint. With `--json` it is the',
    'member `error` of the event `run-failed`. *Exit* is the exit code of the process; what *may pass* can be run again as it is. The hint below is',
    'the general one; where the place of the error knows better, it says so.',
    '',
    tables.join('\n\n'),
  ].join('\n')}\n`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
