import { expect, it } from 'vitest'
import { isBase, parseBase } from '../../../src/recipe/base.ts'

it.each([
  ['scratch', { kind: 'scratch' }],
  ['oci:../base', { kind: 'layout', path: '../base' }],
  ['oci:base:26-slim', { kind: 'layout', path: 'base', reference: '26-slim' }],
  ['archive:node.tar', { kind: 'archive', path: 'node.tar' }],
  [
    'archive:node.tar:docker.io/library/node:26',
    { kind: 'archive', path: 'node.tar', reference: 'docker.io/library/node:26' },
  ],
  ['registry.example.org:5000/node:26', { kind: 'registry', reference: 'registry.example.org:5000/node:26' }],
  ['debian:12', { kind: 'registry', reference: 'debian:12' }],
])('reads %s', (text, expected) => {
  expect(isBase(text)).toBe(true)
  expect(parseBase(text)).toEqual(expected)
})

it.each([
  '',
  'oci:',
  'oci::name',
  'oci:base:',
  'archive:',
  'node',
  'registry.example.org:5000/node',
  'node@sha256:abc',
  'node:26 slim',
  'no de:26',
  '-node:1',
  'node:26\n',
])('refuses %j', text => {
  expect(isBase(text)).toBe(false)
})

it('takes a digest in place of a tag, or beside it', () => {
  const digest = `sha256:${'a'.repeat(64)}`
  expect([`node@${digest}`, `node:26@${digest}`, `[::1]:5000/node@${digest}`].every(isBase)).toBe(true)
})
