import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findNetrcCredentials, parseNetrc } from '../../../../src/repository/targets/netrc.ts'
import { codeOf } from '../../../support/codes.ts'
import { tempFolder } from '../../../support/temp.ts'

function written(text: string, mode = 0o600): string {
  const file = path.join(tempFolder(), 'netrc')
  fs.writeFileSync(file, text)
  fs.chmodSync(file, mode)
  return file
}

describe('a netrc file', () => {
  it('is read in all of its forms', () => {
    const text = `# machine a.example login commented password out
machine a.example login alice password one
machine a.example login second password ignored
machine b.example
  login "bob with space"
  password "quo\\"te"
  account x
macdef init
machine in.macro login x password y

machine nobody.example login x
default login anonymous password guest
machine c.example:8443 password three login carol`
    expect(Object.fromEntries(parseNetrc(text) ?? [])).toEqual({
      'a.example': { user: 'alice', password: 'one' },
      'b.example': { user: 'bob with space', password: 'quo"te' },
      'c.example:8443': { user: 'carol', password: 'three' },
    })
  })

  it.each(['machine', 'machine a login', 'what is this'])('is none when it is %j', text => {
    expect(parseNetrc(text)).toBeUndefined()
  })

  it('may hold anything', () => {
    fc.assert(fc.property(fc.string(), text => void parseNetrc(text)))
  })
})

describe('credentials', () => {
  const text = 'machine a.example login alice password one\nmachine a.example:8443 login other password two'
  const find = (url: string, file: string) => findNetrcCredentials(new URL(url), { CUTOVER_NETRC: file })?.user

  it('are those of the host, or of the host and port', () => {
    const file = written(text)
    expect(find('https://a.example/x', file)).toBe('alice')
    expect(find('https://a.example:8443/x', file)).toBe('other')
    for (const other of ['https://xa.example', 'https://a.example.evil', 'https://b.example']) {
      expect(find(other, file)).toBeUndefined()
    }
  })

  it('are not taken from a file that others may read, nor from one that is damaged', () => {
    expect(codeOf(() => find('https://a.example', written(text, 0o640)))).toBe('TARGET_CREDENTIALS')
    expect(codeOf(() => find('https://a.example', written('what is this s3cret')))).toBe('TARGET_CREDENTIALS')
    expect(codeOf(() => find('https://a.example', '/not/there'))).toBe('FILE_IO')
  })

  it('are looked for at home, where there may be none', () => {
    const file = path.dirname(written(text))
    expect(findNetrcCredentials(new URL('https://a.example'), { HOME: file })).toBeUndefined()
    fs.renameSync(path.join(file, 'netrc'), path.join(file, '.netrc'))
    expect(findNetrcCredentials(new URL('https://a.example'), { HOME: file })?.user).toBe('alice')
    expect(findNetrcCredentials(new URL('https://a.example'), {})).toBeUndefined()
  })
})
