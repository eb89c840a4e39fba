import { describe, expect, it } from 'vitest'
import { setVersion } from '../../../src/source/version-file.ts'

describe('setVersion', () => {
  it('sets a member of JSON and keeps every other byte', () => {
    const text = '{\r\n\t"name" : "notes",   "version":"1.0.0" ,\n "nested": { "version": "7" } }'
    const file = { path: 'package.json', json: 'version' }
    expect(setVersion(text, file, '1.1.0')).toBe(text.replace('"1.0.0"', '"1.1.0"'))
  })

  it('reaches members with an empty name, as in package-lock.json', () => {
    const text = '{ "version": "1", "packages": { "": { "version": "1" }, "node_modules/a": { "version": "1" } } }'
    const file = { path: 'package-lock.json', json: 'packages..version' }
    expect(setVersion(text, file, '2.0.0')).toBe(text.replace('"": { "version": "1"', '"": { "version": "2.0.0"'))
  })

  it('sets the first group of a pattern', () => {
    const text = 'x = "1.0.0"\n__version__ = "1.0.0"  # set by release\n'
    const file = { path: 'weave.py', pattern: '^__version__ = "(.*)"' }
    expect(setVersion(text, file, '$&')).toBe('x = "1.0.0"\n__version__ = "$&"  # set by release\n')
  })

  it('writes the version as Python does, where the recipe says so', () => {
    const file = { path: 'pyproject.toml', pattern: '^version = "(.*)"', form: 'python' } as const
    expect(setVersion('version = "1.0.0"\n', file, '1.1.0-git20261120.abc1234')).toBe(
      'version = "1.1.0.dev20261120+gabc1234"\n',
    )
  })

  it.each([
    ['a pattern that matches nothing', 'x', { path: 'a', pattern: '^v(.*)$' }],
    ['a missing member', '{}', { path: 'a', json: 'version' }],
    ['a member that is no text', '{"version": 1}', { path: 'a', json: 'version' }],
    ['a member that is a mapping', '{"version": {}}', { path: 'a', json: 'version' }],
    ['what is no JSON', '{"version": ', { path: 'a', json: 'version' }],
  ])('refuses %s', (_, text, file) => {
    expect(() => setVersion(text, file, '1.0.0')).toThrow(expect.objectContaining({ code: 'VERSION_FILE_INVALID' }))
  })
})
