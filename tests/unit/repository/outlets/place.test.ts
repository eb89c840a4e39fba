import { expect, it } from 'vitest'
import { isOutlet, parseOutletPlace } from '../../../../src/repository/outlets/place.ts'
import { codeOf } from '../../../support/codes.ts'

it.each([
  ['github:ada/notes', { kind: 'github', owner: 'ada', repository: 'notes' }],
  ['github:Ada-B/notes.d_x', { kind: 'github', owner: 'Ada-B', repository: 'notes.d_x' }],
  [
    'oci://registry.example:5000/team/apps',
    { kind: 'registry', registry: 'registry.example:5000', namespace: 'team/apps' },
  ],
  ['oci://localhost/team', { kind: 'registry', registry: 'localhost', namespace: 'team' }],
  ['oci://docker.io/ada', { kind: 'registry', registry: 'docker.io', namespace: 'ada' }],
])('reads %s', (place, expected) => {
  expect(isOutlet(place)).toBe(true)
  expect(parseOutletPlace(place)).toEqual(expected)
})

it.each([
  ...['github:', 'github:ada', 'github:ada/..', 'github:ada/a/b', 'github:-a/b', 'github:ada/notes?x', 'github:a b/c'],
  ...[
    'oci://',
    'oci://host',
    'oci://team/app',
    'oci://h.example/Team',
    'oci://h.example/team:1',
    'oci://a@h.example/t',
  ],
])('refuses %s', place => {
  expect(isOutlet(place)).toBe(true)
  expect(codeOf(() => parseOutletPlace(place))).toBe('OUTLET_INVALID')
})

it.each(['../repository', '/srv/apt', 's3://bucket', 'https://apt.example.org', 'file:///srv'])(
  'leaves %s to others',
  place => {
    expect(isOutlet(place)).toBe(false)
  },
)
