import fs from 'node:fs'
import path from 'node:path'
import { toReleaseError } from '../../core/error.ts'
import { readTextIfExists } from '../../sys/files.ts'
import type { OutletReceipt } from './outlet.ts'

/** What was done at outlets so far. It is only believed where asking again would cost a download. */
export interface OutletReceipts {
  readonly has: (receipt: OutletReceipt) => boolean
  readonly add: (receipt: OutletReceipt) => void
}

/**
 * Open the receipts of a release, `outlets.ndjson` in its folder: one line of JSON each, appended as things happen.
 *
 * Crash: a torn last line counts as if it were not there. Errors: FILE_IO, FILE_NO_SPACE.
 */
export function openReceipts(file: string): OutletReceipts {
  const text = readTextIfExists(file) ?? ''
  const known = new Set(text.split('\n').filter(line => line !== ''))
  let isTorn = text !== '' && !text.endsWith('\n')
  return {
    has: receipt => known.has(lineOf(receipt)),
    add: receipt => {
      const line = lineOf(receipt)
      if (known.has(line)) return
      try {
        fs.mkdirSync(path.dirname(file), { recursive: true })
        fs.appendFileSync(file, `${isTorn ? '\n' : ''}${line}\n`)
      } catch (caught) {
        throw toReleaseError(caught)
      }
      isTorn = false
      known.add(line)
    },
  }
}

/** Always with its members in one order, so that equal receipts are equal lines. */
function lineOf({ schema, outlet, action, subject, digest, remoteId }: OutletReceipt): string {
  return JSON.stringify({ schema, outlet, action, subject, digest, remoteId })
}
