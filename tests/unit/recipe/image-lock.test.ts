import { expect, it } from 'vitest'
import { type ImageLock, lockFileOf, parseImageLock, renderImageLock } from '../../../src/recipe/image-lock.ts'

const digest = (letter: string) => `sha256:${letter.repeat(64)}` as const
const lock: ImageLock = {
  schema: 1,
  bases: { 'node:26': { digest: digest('a'), platforms: { 'linux/amd64': digest('b') } } },
}

it('is read as it was written', () => {
  expect(parseImageLock(renderImageLock(lock), 'file')).toEqual(lock)
})

it('stands beside its recipe', () => {
  expect(['/a/release.yaml', '/a/recipe.yaml', '/a/b.yml'].map(lockFileOf)).toEqual([
    '/a/release.lock.json',
    '/a/recipe.lock.json',
    '/a/b.lock.json',
  ])
})

it.each([
  ['', 'BASE_LOCK_INVALID'],
  ['[]', 'BASE_LOCK_INVALID'],
  ['{}', 'BASE_LOCK_INVALID'],
  ['{"schema":1,"bases":[]}', 'BASE_LOCK_INVALID'],
  ['{"schema":1,"bases":{"a":null}}', 'BASE_LOCK_INVALID'],
  ['{"schema":1,"bases":{"a":{"digest":"x","platforms":{}}}}', 'BASE_LOCK_INVALID'],
  [`{"schema":1,"bases":{"a":{"digest":"${digest('a')}","platforms":{"linux/amd64":"../x"}}}}`, 'BASE_LOCK_INVALID'],
  ['{"schema":2,"bases":{}}', 'DOCUMENT_NEWER'],
])('refuses %s', (text, code) => {
  expect(() => parseImageLock(text, 'file')).toThrow(expect.objectContaining({ code }))
})
