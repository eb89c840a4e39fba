import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { type FailureRecord, keepFailure, parseFailure, readFailure } from '../../../src/prefix/failure-record.ts'
import { prefixPaths } from '../../../src/prefix/layout.ts'
import { codeOf } from '../../support/codes.ts'
import { tempFolder } from '../../support/temp.ts'

const record: FailureRecord = {
  schema: 1,
  txn: 3,
  at: 1_700_000_000_000,
  command: 'install',
  version: '1.1.0',
  from: '1.0.0',
  by: 'ada@node',
  op: 'probe',
  code: 'INSTALL_UNHEALTHY',
  message: 'status 500 for hunter2',
  hint: 'look',
  details: { evidence: 'status 500', logs: ['hunter2.log'] },
  causes: ['hunter2 was refused'],
  services: [{ name: 'web', state: 'running', pid: 7, restarts: 0, lastExit: undefined }],
  logs: [{ service: 'web', file: '/run/log/web.log', lines: ['password hunter2', 'x'.repeat(10_000)] }],
}
const redact = (text: string) => text.replaceAll('hunter2', '***')
const keep = (failure: FailureRecord, root = tempFolder()) => {
  const paths = prefixPaths(root)
  keepFailure(paths, failure, redact)
  return paths
}

describe('the record of a failure', () => {
  it('holds no secret in any of its texts, and is bounded', () => {
    const paths = keep({ ...record, message: `${'x'.repeat(3998)}hunter2` })
    const text = fs.readFileSync(path.join(paths.root, 'journal', 'failures', '3.json'), 'utf8')
    expect(text).not.toMatch(/hunter2|hu"/)
    expect(text.length).toBeLessThan(8000)
    expect(readFailure(paths, 3)).toMatchObject({ txn: 3, causes: ['*** was refused'], details: { logs: ['***.log'] } })
  })

  it('is one of the last twenty', () => {
    const root = tempFolder()
    for (let txn = 1; txn <= 22; txn += 1) keep({ ...record, txn }, root)
    const paths = prefixPaths(root)
    expect([1, 2, 3, 22].map(txn => readFailure(paths, txn)?.txn)).toEqual([undefined, undefined, 3, 22])
  })

  it('is refused when it is of a newer version, or none', () => {
    expect(codeOf(() => parseFailure('{"schema":2}', 'x'))).toBe('DOCUMENT_NEWER')
    for (const text of ['null', '[]', '{"schema":1}', '{"schema":1,"causes":[],"services":[],"logs":{}}']) {
      expect(codeOf(() => parseFailure(text, 'x'))).toBe('DOCUMENT_INVALID')
    }
  })
})
