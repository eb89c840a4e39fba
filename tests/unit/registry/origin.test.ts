import { expect, it } from 'vitest'
import { isLoopback } from '../../../src/core/loopback.ts'
import { findOrigin } from '../../../src/registry/origin.ts'

const { signal } = new AbortController()

it.each([
  ['registry.example', false, 'https://registry.example'],
  ['registry.example:5000', false, 'https://registry.example:5000'],
  ['docker.io', false, 'https://registry-1.docker.io'],
  ['registry.example:443', false, 'https://registry.example'],
  // Only who says so speaks in plain text to another machine, and never to one that only looks like this one.
  ['registry.example', true, 'http://registry.example'],
  ['127.0.0.1.example', false, 'https://127.0.0.1.example'],
  ['localhost.example:5000', false, 'https://localhost.example:5000'],
])('%s with plainHttp %s is spoken to at %s', async (registry, plainHttp, origin) => {
  expect((await findOrigin(registry, { plainHttp, signal })).origin).toBe(origin)
})

it.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['[::1]', true],
  ['127.0.0.1.example', false],
  ['localhost.example', false],
  ['10.0.0.1', false],
])('%s is this machine: %s', (hostname, expected) => {
  expect(isLoopback(hostname)).toBe(expected)
})
