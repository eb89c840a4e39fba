import { describe, expect, it } from 'vitest'
import { parsePlace } from '../../../src/mirror/place.ts'
import { codeOf } from '../../support/codes.ts'

describe('parsePlace', () => {
  it.each([
    ['/srv/a b/', { kind: 'copy', url: 'file:///srv/a%20b' }],
    ['file:///srv/vendor/', { kind: 'copy', url: 'file:///srv/vendor' }],
    ['https://a.example/vendor/', { kind: 'copy', url: 'https://a.example/vendor' }],
    ['http://a.example', { kind: 'copy', url: 'http://a.example' }],
    ['apt:https://deb.example/notes/', { kind: 'apt', url: 'https://deb.example/notes' }],
    ['apt:/srv/mirror', { kind: 'apt', url: 'file:///srv/mirror' }],
    ['oci://r.example:5000/team/', { kind: 'registry', registry: 'r.example:5000', namespace: 'team' }],
    ['oci://R.example/a/b', { kind: 'registry', registry: 'r.example', namespace: 'a/b' }],
    ['github:ada/notes.js', { kind: 'github', owner: 'ada', repository: 'notes.js' }],
  ])('reads %s', (text, expected) => {
    expect(parsePlace(text)).toMatchObject(expected)
  })

  it('reads a place in an object store', () => {
    const place = parsePlace('s3://bucket/a/b/?endpoint=https://s3.example&region=eu-1&path-style=1')
    expect(place).toMatchObject({
      kind: 's3',
      name: 's3://bucket/a/b',
      address: { bucket: 'bucket', prefix: 'a/b', region: 'eu-1', isPathStyle: true },
    })
    expect(place.kind === 's3' && place.address.endpoint?.href).toBe('https://s3.example/')
  })

  it.each([
    '',
    'srv/vendor',
    'ftp://a.example/',
    'https://a.example/?token=1',
    'https://a.example/#part',
    'https://user:s3cret@a.example/vendor',
    'apt:deb.example',
    'apt:https://user:s3cret@deb.example/',
    'oci://',
    'oci://team',
    'oci://r.example/team:1.0',
    'oci://r.example/Team',
    's3://b',
    's3://user:s3cret@bucket/a',
    's3://bucket/../a%2f..',
    's3://bucket/a?endpoint=http://s3.example',
    's3://bucket/a?endpoint=file:///etc',
    's3://bucket/a?path-style=yes',
    's3://bucket/a?secret=1',
    'github:ada',
    'github:ada/..',
    'github:ada/notes/more',
    'github:-ada/notes',
  ])('refuses %s, and tells no secret', text => {
    expect(codeOf(() => parsePlace(text))).toBe('MIRROR_INVALID')
    expect(() => parsePlace(text)).not.toThrow(/s3cret/)
  })
})
