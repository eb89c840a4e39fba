import { describe, expect, it } from 'vitest'
import type { Answer } from '../../../../src/gate/answers/answer.ts'
import { type BackoffRequest, type BackoffShape, backoffAnswer, shapeOf } from '../../../../src/gate/answers/backoff.ts'
import {
  desktopStorage,
  desktopToken,
  rustStorage,
  rustToken,
  type SyncAnswer,
} from '../../../support/mozilla-clients.ts'

const routes = [
  { prefix: '/1.5/', shape: 'weave' },
  { prefix: '/1.0/', shape: 'token' },
  { prefix: '/api', shape: 'json' },
  { prefix: '/api/v2', shape: 'problem' },
] as const

const plain = { method: 'GET', accept: undefined, contentType: undefined, closes: false } as const

function turnAway(
  path: string,
  options: Partial<BackoffRequest> & { random?: () => number; page?: string } = {},
): Answer {
  const { random = Math.random, page, ...request } = options
  const settings = { retryAfter: 60, jitter: 0.2, routes, page }
  return backoffAnswer(settings, { ...plain, path, ...request }, random)
}

function asClientSees(answered: Answer): SyncAnswer {
  const headers = Object.fromEntries(answered.headers.map(([name, value]) => [name.toLowerCase(), value]))
  return { status: answered.status, headers, body: answered.body.toString() }
}

describe('the answer', () => {
  it('says the same wait in every header, and that it is ours', () => {
    const { headers, status } = asClientSees(turnAway('/x', { random: () => 0.5 }))
    expect(status).toBe(503)
    expect(headers['retry-after']).toBe('66')
    expect(headers['x-weave-backoff']).toBe('66')
    expect(headers['x-backoff']).toBe('66')
    expect(headers['x-weave-maintenance']).toBe('1')
    expect(headers['cache-control']).toBe('no-store')
    expect(headers['connection']).toBeUndefined()
  })

  it('ends the connection only when told to', () => {
    expect(asClientSees(turnAway('/x', { closes: true })).headers['connection']).toBe('close')
  })

  it.each([
    ['/1.5/7/storage/tabs', {}, 'weave'],
    ['/1.0/sync/1.5', {}, 'token'],
    ['/api/v1', { accept: 'text/html' }, 'json'],
    ['/api/v2/x', {}, 'problem'],
    ['/', { accept: 'text/html,application/xhtml+xml;q=0.9' }, 'page'],
    ['/', { accept: 'application/json' }, 'json'],
    ['/', {}, 'json'],
    ['/', { accept: 'text/htmlx' }, 'json'],
    ['/', { accept: 'text/html-sandboxed' }, 'json'],
    ['/notes.Sync/Merge', { contentType: 'application/grpc+proto' }, 'grpc'],
    ['/notes.Sync/Merge', { contentType: 'application/grpcx' }, 'json'],
  ])('to %s (%o) has the shape %s', (path, fields, shape) => {
    const request = { path, accept: undefined, contentType: undefined, ...fields }
    expect(shapeOf(routes, request)).toBe(shape satisfies string as BackoffShape)
  })

  it('is problem+json where asked for', () => {
    const answered = asClientSees(turnAway('/api/v2'))
    expect(answered.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(answered.body)).toMatchObject({ status: 503, title: 'Service Unavailable' })
  })

  it.each([
    ['application/grpc', 'application/grpc'],
    ['application/grpc+proto; charset="<x>"', 'application/grpc'],
    ['application/grpc-web', 'application/grpc-web'],
    ['Application/GRPC-Web-Text+proto', 'application/grpc-web-text'],
  ])('to a call of %s is the end of the call, with when to try again', (contentType, mediaType) => {
    const answered = asClientSees(turnAway('/notes.Sync/Merge', { method: 'POST', contentType, random: () => 0 }))
    expect(answered).toMatchObject({ status: 200, body: '' })
    expect(answered.headers).toMatchObject({
      'content-type': mediaType,
      'content-length': '0',
      'grpc-status': '14',
      'grpc-retry-pushback-ms': '60000',
      'x-weave-maintenance': '1',
    })
    // Of what a client sends nothing comes back, and what is above ASCII would need an encoding.
    expect(answered.headers['grpc-message']).toMatch(/^[ -$&-~]+$/)
  })

  it('asks no caller to wait longer than it can count', () => {
    const settings = {
      retryAfter: 86_400,
      jitter: 0,
      clients: 1e7,
      perSecond: 1,
      routes: [{ prefix: '/', shape: 'grpc' }],
    } as const
    const { headers } = asClientSees(backoffAnswer(settings, { ...plain, path: '/' }, () => 0.999))
    expect(headers['grpc-retry-pushback-ms']).toBe('2147483647')
  })
})

describe('the page', () => {
  const accept = 'text/html'

  it('is one that a browser comes back from by itself and that a screen reader can read', () => {
    const answered = asClientSees(turnAway('/', { accept, random: () => 0 }))
    expect(answered.body).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(answered.body).toContain('<meta http-equiv="refresh" content="60">')
    expect(answered.body).toMatch(/<main>\s*<h1>/)
    expect(answered.body).not.toContain('<script')
    expect(answered.headers['content-security-policy']).toContain("default-src 'none'")
  })

  it('does not ask again for whoever sent a form, and says so', () => {
    const { body } = asClientSees(turnAway('/', { accept, method: 'POST' }))
    expect(body).not.toContain('http-equiv')
    expect(body).toContain('was not received')
  })

  it('holds nothing of the request', () => {
    const evil = '/<script>alert(1)</script>'
    const { body, headers } = asClientSees(turnAway(evil, { accept: `text/html, ${evil}`, contentType: evil }))
    expect(body + JSON.stringify(headers)).not.toContain('alert')
  })

  it('is the release’s own where it has one, with the seconds in it', () => {
    const page = '<p>In {{seconds}} s.</p><meta http-equiv="refresh" content="{{seconds}}">{{path}}'
    const answered = asClientSees(turnAway('/', { accept, page, random: () => 0 }))
    expect(answered.body).toBe('<p>In 60 s.</p><meta http-equiv="refresh" content="60">{{path}}')
    expect(answered.headers['content-security-policy']).toBeUndefined()
  })
})

describe('clients of Sync', () => {
  const storage = asClientSees(turnAway('/1.5/7/storage/bookmarks', { random: () => 0 }))
  const token = asClientSees(turnAway('/1.0/sync/1.5', { random: () => 0 }))

  it('obey it on storage paths: desktop and mobile', () => {
    expect(storage.body).toBe('0')
    expect(desktopStorage.learns(storage)).toBe(60)
    expect(rustStorage.learns(storage)).toBe(60)
  })

  it('obey it on token paths: desktop and mobile', () => {
    expect(desktopToken.learns(token)).toBe(60)
    expect(rustToken.learns(token)).toBe(60)
  })

  it('would not obey a page or a date: the shapes matter', () => {
    const page = asClientSees(turnAway('/', { accept: 'text/html' }))
    expect(desktopToken.learns(page)).toBeUndefined()
    const dated = { ...storage, headers: { 'retry-after': 'Fri, 20 Nov 2026 10:00:00 GMT' } }
    expect(desktopStorage.learns(dated)).toBeUndefined()
    expect(rustStorage.learns(dated)).toBeUndefined()
  })
})
