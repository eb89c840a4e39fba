/**
 * Read how many requests a backend has under way, from the answer to `show stat`.
 *
 * Pure. Shape: CSV with a header line that begins with `# pxname`; undefined where the backend or the column is not there.
 * Source: HAProxy Management Guide §9.1, columns pxname, svname, qcur, scur.
 */
export function parseUnderWay(text: string, backend: string): number | undefined {
  const [header = '', ...lines] = text.split('\n')
  const columns = header.replace(/^# /, '').split(',')
  const at = (line: readonly string[], column: string) => line[columns.indexOf(column)]
  const row = lines
    .map(line => line.split(','))
    .find(line => at(line, 'pxname') === backend && at(line, 'svname') === 'BACKEND')
  const counts = row === undefined ? [] : [at(row, 'qcur'), at(row, 'scur')]
  if (counts.length === 0 || !counts.every(count => /^\d+$/.test(count ?? ''))) return undefined
  return Math.max(...counts.map(Number))
}
