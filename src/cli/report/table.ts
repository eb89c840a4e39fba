import { printable } from '../../core/error.ts'

/** A table as an event brings it. */
export interface Table {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/**
 * Lay a table out as lines: columns aligned, those that hold only quantities to the right, no space at a line's end.
 *
 * Post: the first line holds the column names unless all of them are empty; a cell never breaks the line.
 */
export function renderTable(table: Table): readonly string[] {
  const rows = table.rows.map(row => table.columns.map((_, index) => oneLine(row[index] ?? '')))
  const columns = table.columns.map((name, index) => {
    const cells = rows.map(row => row[index]!)
    return {
      widthChars: Math.max(name.length, ...cells.map(cell => cell.length)),
      right: cells.length > 0 && cells.every(isQuantity),
    }
  })
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => {
        const { widthChars, right } = columns[index]!
        return right ? cell.padStart(widthChars) : cell.padEnd(widthChars)
      })
      .join('  ')
      .trimEnd()
  const head = table.columns.some(name => name !== '') ? [line(table.columns)] : []
  return [...head, ...rows.map(line)]
}

/** A number with at most one unit behind it: `12`, `1.4 MiB`, `340 ms`, `98 %`. */
function isQuantity(cell: string): boolean {
  return /^\d+(\.\d+)?( ?[A-Za-z%/]{1,6})?$/.test(cell)
}

function oneLine(cell: string): string {
  return printable(cell).replace(/[\n\t]/g, ' ')
}
