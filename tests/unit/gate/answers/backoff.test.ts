import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Answer } from '../../../../src/gate/answers/answer.ts'
import { type BackoffShape, backoffAnswer, retryAfterSeconds, shapeOf } from '../../../../src/gate/answers/backoff.ts'
import {
  desktopStorageBackoff,
  desktopTokenBackoff,
  rustStorageBackoff,
  rustTokenBackoff,
  type SyncAnswer,
} from '../../../support/sync-clients.ts'

const routes = [
  { prefix: '/1.5/', shape: 'weave' },
  { prefix: '/1.0/', shape: 'token' },
  { prefix: '/api', shape: 'json' },
  { prefix: '/api/v2', shape: 'problem' },
] as const

function turnAway(path: string, options: { accept?: string; closes?: boolean; random?: () => number } = {}): Answer {
  const settings = { retryAfter: 60, jitter: 0.2, routes }
  const request = { path, accept: options.accept, closes: options.closes ?? false }
  return backoffAnswer(settings, request, options.random ?? Math.random)
}

function asClientSees(answered: Answer): SyncAnswer {
  const headers = Object.fromEntries(answered.headers.map(([name, value]) => [name.toLowerCase(), value]))
  return { status: answered.status, headers, body: answered.body.toString() }
}

describe('the wait', () => {
  it('is an integer from the base upwards, within the share or 5 seconds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 86_400 }),
        fc.double({ min: 0, max: 10, noNaN: true }),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        (retryAfter, jitter, random) => {
          const seconds = retryAfterSeconds({ retryAfter, jitter }, () => random)
          expect(Number.isSafeInteger(seconds)).toBe(true)
          expect(seconds).toBeGreaterThanOrEqual(retryAfter)
          expect(seconds).toBeLessThanOrEqual(retryAfter + Math.max(Math.floor(retryAfter * jitter), 5))
        },
      ),
    )
  })

  it('spreads clients over at least 5 seconds even when it is short', () => {
    const settings = { retryAfter: 1, jitter: 0 }
    expect(retryAfterSeconds(settings, () => 0)).toBe(1)
    expect(retryAfterSeconds(settings, () => 0.999)).toBe(6)
  })
})

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
    ['/1.5/7/storage/tabs', undefined, 'weave'],
    ['/1.0/sync/1.5', undefined, 'token'],
    ['/api/v1', 'text/html', 'json'],
    ['/api/v2/x', undefined, 'problem'],
    ['/', 'text/html,application/xhtml+xml;q=0.9', 'page'],
    ['/', 'application/json', 'json'],
    ['/', undefined, 'json'],
    ['/', 'text/htmlx', 'json'],
  ])('to %s (Accept: %s) has the shape %s', (path, accept, shape) => {
    expect(shapeOf(routes, { path, accept })).toBe(shape satisfies string as BackoffShape)
  })

  it('is a page that a browser comes back from by itself and that a screen reader can read', () => {
    const page = turnAway('/', { accept: 'text/html', random: () => 0 }).body.toString()
    expect(page).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(page).toContain('<meta http-equiv="refresh" content="60">')
    expect(page).toMatch(/<main>\s*<h1>/)
    expect(page).not.toContain('<script')
  })

  it('is problem+json where asked for', () => {
    const answered = asClientSees(turnAway('/api/v2'))
    expect(answered.headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(answered.body)).toMatchObject({ status: 503, title: 'Service Unavailable' })
  })
})

describe('clients of Sync', () => {
  const storage = asClientSees(turnAway('/1.5/7/storage/bookmarks', { random: () => 0 }))
  const token = asClientSees(turnAway('/1.0/sync/1.5', { random: () => 0 }))

  it('obey it on storage paths: desktop and mobile', () => {
    expect(storage.body).toBe('0')
    expect(desktopStorageBackoff(storage)).toBe(60)
    expect(rustStorageBackoff(storage)).toBe(60)
  })

  it('obey it on token paths: desktop and mobile', () => {
    expect(desktopTokenBackoff(token)).toBe(60)
    expect(rustTokenBackoff(token)).toBe(60)
  })

  it('would not obey a page or a date: the shapes matter', () => {
    const page = asClientSees(turnAway('/', { accept: 'text/html' }))
    expect(desktopTokenBackoff(page)).toBeUndefined()
    const dated = { ...storage, headers: { 'retry-after': 'Fri, 20 Nov 2026 10:00:00 GMT' } }
    expect(desktopStorageBackoff(dated)).toBeUndefined()
    expect(rustStorageBackoff(dated)).toBeUndefined()
  })
})
