import fs from 'node:fs'
import { expect, it } from 'vitest'
import { prefixPaths, releasePaths } from '../../../src/prefix/layout.ts'
import { generateSecrets, readSecrets, requireSecrets, storeSecrets } from '../../../src/prefix/secrets.ts'
import { tempFolder } from '../../support/temp.ts'

const key = { name: 'SESSION_KEY', bytes: 32, encoding: 'hex', as: 'variable' } as const
const token = { name: 'TOKEN', bytes: 16, encoding: 'base64url', as: 'variable' } as const
const asked = { ...key, name: 'ASKED', command: { run: ['true'], environment: {}, timeout: 1000 } }
const encrypted = { ...key, name: 'ENCRYPTED', age: 'secret.age' }

it('makes each secret once, keeps those that nobody asks for any more, and hands out what is asked for', () => {
  const paths = prefixPaths(tempFolder())
  const first = requireSecrets(paths, '1.0.0', [key])
  expect(first['SESSION_KEY']).toMatch(/^[0-9a-f]{64}$/)
  const second = requireSecrets(paths, '1.0.1', [token])
  expect(Buffer.from(second['TOKEN']!, 'base64url')).toHaveLength(16)
  expect(Object.keys(second)).toEqual(['TOKEN'])
  expect(requireSecrets(paths, '1.0.2', [key, token])).toEqual({ ...first, ...second })
})

it('lets nobody else read them', () => {
  const paths = prefixPaths(tempFolder())
  generateSecrets(paths, [key])
  expect(fs.statSync(paths.secrets).mode & 0o777).toBe(0o600)
})

it('keeps what came encrypted with a release to that release', () => {
  const paths = prefixPaths(tempFolder())
  storeSecrets(releasePaths(paths, '1.0.0').secrets, { ENCRYPTED: 'old' })
  storeSecrets(releasePaths(paths, '1.1.0').secrets, { ENCRYPTED: 'new' })
  expect(readSecrets(paths, '1.0.0', [encrypted])).toEqual({ ENCRYPTED: 'old' })
  expect(readSecrets(paths, '1.1.0', [encrypted])).toEqual({ ENCRYPTED: 'new' })
})

it('names all that was never gathered; what is generated is made again', () => {
  const paths = prefixPaths(tempFolder())
  expect(readSecrets(paths, '1.0.0', [key, asked, encrypted])).toEqual({})
  const error = caught(() => requireSecrets(paths, '1.0.0', [key, asked, encrypted]))
  expect(error).toMatchObject({ code: 'SECRET_MISSING', details: { missing: ['ASKED', 'ENCRYPTED'] } })
})

it('tells of a damaged file without showing what it holds', () => {
  const paths = prefixPaths(tempFolder())
  fs.mkdirSync(paths.shared)
  fs.writeFileSync(paths.secrets, 'hunter2')
  const error = caught(() => readSecrets(paths, '1.0.0', [key]))
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
