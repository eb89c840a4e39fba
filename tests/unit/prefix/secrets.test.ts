import fs from 'node:fs'
import { expect, it } from 'vitest'
import { prefixPaths } from '../../../src/prefix/layout.ts'
import { ensureSecrets } from '../../../src/prefix/secrets.ts'
import { tempFolder } from '../../support/temp.ts'

const key = { name: 'SESSION_KEY', bytes: 32, encoding: 'hex' } as const
const token = { name: 'TOKEN', bytes: 16, encoding: 'base64url' } as const

it('makes each secret once and keeps those that nobody asks for any more', () => {
  const paths = prefixPaths(tempFolder())
  const first = ensureSecrets(paths, [key])
  expect(first['SESSION_KEY']).toMatch(/^[0-9a-f]{64}$/)
  const second = ensureSecrets(paths, [token])
  expect(second['SESSION_KEY']).toBe(first['SESSION_KEY'])
  expect(Buffer.from(second['TOKEN']!, 'base64url')).toHaveLength(16)
  expect(ensureSecrets(paths, [key, token])).toEqual(second)
})

it('lets nobody else read them', () => {
  const paths = prefixPaths(tempFolder())
  ensureSecrets(paths, [key])
  expect(fs.statSync(paths.secrets).mode & 0o777).toBe(0o600)
})

it('tells of a damaged file without showing what it holds', () => {
  const paths = prefixPaths(tempFolder())
  fs.mkdirSync(paths.shared)
  fs.writeFileSync(paths.secrets, 'hunter2')
  const error = caught(() => ensureSecrets(paths, [key]))
  expect(error).toMatchObject({ code: 'DOCUMENT_INVALID' })
  expect(JSON.stringify(error) + String(error.cause)).not.toContain('hunter2')
})

function caught(run: () => unknown): Error {
  try {
    run()
  } catch (error) {
    return error as Error
  }
  throw new Error('expected an error')
}
