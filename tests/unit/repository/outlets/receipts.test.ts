import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { openReceipts } from '../../../../src/repository/outlets/receipts.ts'
import { tempFolder } from '../../../support/temp.ts'

const base = tempFolder()
const receipt = {
  outlet: 'github:ada/notes',
  action: 'asset-proved',
  subject: 'a',
  digest: digestOf('a'),
  remoteId: '1',
}

it('receipts are found again, the last of several, and no line is written twice', () => {
  const file = path.join(base, 'new/receipt.ndjson')
  const receipts = openReceipts(file)
  receipts.add(receipt)
  receipts.add(receipt)
  receipts.add({ ...receipt, remoteId: '2' })
  expect(fs.readFileSync(file, 'utf8').split('\n')).toHaveLength(3)
  for (const opened of [receipts, openReceipts(file)]) {
    expect(opened.find(receipt.outlet, receipt.action, 'a')).toMatchObject({ schema: 1, remoteId: '2' })
    expect(opened.find(receipt.outlet, receipt.action, 'b')).toBeUndefined()
    expect(opened.find('oci://a.example/b', receipt.action, 'a')).toBeUndefined()
  }
})

it('receipts that were cut off are read as far as they go, and written on', () => {
  const file = path.join(base, 'whole.ndjson')
  openReceipts(file).add(receipt)
  const whole = fs.readFileSync(file)
  const torn = path.join(base, 'torn.ndjson')
  const end = whole.byteLength
  for (const length of [0, 1, 20, end - 30, end - 2, end - 1, end]) {
    fs.writeFileSync(torn, whole.subarray(0, length))
    openReceipts(torn).add({ ...receipt, subject: 'b' })
    const isWhole = length >= end - 1
    expect(openReceipts(torn).find(receipt.outlet, receipt.action, 'a') !== undefined).toBe(isWhole)
    expect(openReceipts(torn).find(receipt.outlet, receipt.action, 'b')).toBeDefined()
  }
})
