import fs from 'node:fs'
import path from 'node:path'
import { toReleaseError } from '../../core/error.ts'
import { readTextIfExists } from '../../sys/files.ts'
import type { OutletReceipt, OutletReceipts } from './outlet.ts'

/**
 * Open the receipts of a release: one line of JSON each, appended as things happen.
 *
 * Crash: a torn line counts as if it were not there. Errors: FILE_IO, FILE_NO_SPACE.
 */
export function openReceipts(file: string): OutletReceipts {
  const text = readTextIfExists(file) ?? ''
  const known = text.split('\n').flatMap(parseReceipt)
  let isTorn = text !== '' && !text.endsWith('\n')
  const find: OutletReceipts['find'] = (outlet, action, subject) =>
    known.findLast(each => each.outlet === outlet && each.action === action && each.subject === subject)
  return {
    find,
    add: added => {
      const receipt: OutletReceipt = { schema: 1, ...added }
      const before = find(receipt.outlet, receipt.action, receipt.subject)
      if (before?.digest === receipt.digest && before?.remoteId === receipt.remoteId && before !== undefined) return
      try {
        fs.mkdirSync(path.dirname(file), { recursive: true })
        fs.appendFileSync(file, `${isTorn ? '\n' : ''}${JSON.stringify(receipt)}\n`)
      } catch (caught) {
        throw toReleaseError(caught)
      }
      isTorn = false
      known.push(receipt)
    },
  }
}

function parseReceipt(line: string): readonly OutletReceipt[] {
  try {
    const receipt = JSON.parse(line) as OutletReceipt | null
    return receipt?.schema === 1 ? [receipt] : []
  } catch {
    return []
  }
}
