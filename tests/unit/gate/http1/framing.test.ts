import { describe, expect, it } from 'vitest'
import { framingOf, originForm } from '../../../../src/gate/http1/framing.ts'

function framing(headers: Readonly<Record<string, string>> | readonly string[], httpVersion = '1.1') {
  const rawHeaders = Array.isArray(headers) ? headers : Object.entries(headers).flat()
  return framingOf({ httpVersion, rawHeaders })
}

describe('framingOf', () => {
  it.each([
    [{ Host: 'a' }, { kind: 'none' }],
    [{ 'CONTENT-LENGTH': '0' }, { kind: 'none' }],
    [{ 'content-length': '12' }, { kind: 'length', sizeBytes: 12 }],
    [{ 'Transfer-Encoding': 'Chunked' }, { kind: 'chunked' }],
  ])('reads %o', (headers, expected) => {
    expect(framing(headers)).toEqual({ kind: 'ok', framing: expected })
  })

  it.each([
    ['length beside chunks', ['Content-Length', '1', 'Transfer-Encoding', 'chunked'], 400],
    ['two lengths', ['Content-Length', '1', 'content-length', '1'], 400],
    ['a list of lengths', ['Content-Length', '1, 1'], 400],
    ['a signed length', ['Content-Length', '+1'], 400],
    ['two hosts', ['Host', 'a', 'host', 'b'], 400],
    ['another coding', ['Transfer-Encoding', 'gzip'], 501],
    ['a coding before chunks', ['Transfer-Encoding', 'gzip, chunked'], 501],
    ['a coding that looks like chunks', ['Transfer-Encoding', 'xchunked'], 501],
    ['chunks twice', ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'], 501],
  ])('refuses %s', (_name, headers, status) => {
    expect(framing(headers)).toMatchObject({ kind: 'refused', status })
  })

  it('refuses chunks in HTTP/1.0 and versions that it does not speak', () => {
    expect(framing({ 'Transfer-Encoding': 'chunked' }, '1.0')).toMatchObject({ status: 400 })
    expect(framing({}, '2.0')).toMatchObject({ status: 505 })
  })
})

describe('originForm', () => {
  it.each([
    ['/a?b', { path: '/a?b', host: undefined }],
    ['*', { path: '*', host: undefined }],
    ['http://h:8/a?b', { path: '/a?b', host: 'h:8' }],
    ['HTTPS://h', { path: '/', host: 'h' }],
    ['http://h?q', { path: '/?q', host: 'h' }],
    ['http://user@h/', undefined],
    ['ftp://h/', undefined],
    ['h:80', undefined],
  ])('brings %s to %o', (target, expected) => {
    expect(originForm(target)).toEqual(expected)
  })
})
