import { expect, it } from 'vitest'
import { renderTable } from '../../../../src/cli/report/table.ts'

it('aligns columns, quantities to the right, versions to the left', () => {
  const lines = renderTable({
    columns: ['version', 'size', 'note'],
    rows: [
      ['1.1.4', '37.2 MiB', ''],
      ['1.10.0', '812 B', 'bad'],
    ],
  })
  expect(lines).toEqual(['version      size  note', '1.1.4    37.2 MiB', '1.10.0      812 B  bad'])
})

it('writes no head when the columns have no names', () => {
  expect(renderTable({ columns: ['', ''], rows: [['folder', '/srv']] })).toEqual(['folder  /srv'])
})

it('fills what a row lacks and keeps a cell on its line', () => {
  expect(renderTable({ columns: ['a', 'b'], rows: [['x\ny'], ['\u001b[1m', 'z']] })).toEqual([
    'a     b',
    'x y',
    '\ufffd[1m  z',
  ])
})

it('can be empty', () => {
  expect(renderTable({ columns: ['version'], rows: [] })).toEqual(['version'])
})
