import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isDebianVersion } from '../../src/core/debian-version.ts'
import { compareVersions, debianVersion } from '../../src/core/version.ts'
import { needTool } from '../support/tools.ts'

const number = fc.nat({ max: 120 })
/** Identifiers of pre-releases as people write them. Those of letters alone compare as bytes in both; see the last test for the others. */
const preRelease = fc.oneof(
  fc.tuple(fc.constantFrom('alpha', 'beta', 'rc', 'dev'), number).map(([phase, count]) => `-${phase}.${count}`),
  fc.constant('-rc'),
  fc.tuple(number, number).map(([first, second]) => `-${first}.${second}`),
)
const version = fc
  .tuple(number, number, number, fc.oneof(fc.constant(''), preRelease))
  .map(([major, minor, patch, pre]) => `${major}.${minor}.${patch}${pre}`)

/** Hold many statements against dpkg in one process: each a version, an operator, a version. Returns those that it denies. */
function denied(statements: readonly (readonly [string, string, string])[]): string[] {
  const script =
    'while read -r a operator b; do dpkg --compare-versions "$a" "$operator" "$b" || echo "$a $operator $b"; done'
  const input = statements.map(words => `${words.join(' ')}\n`).join('')
  const { stdout, stderr, status } = spawnSync('sh', ['-c', script], { input, encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return stdout.split('\n').slice(0, -1)
}

it.skipIf(!needTool('dpkg'))('versions come in the same order as packages', () => {
  const pairs = fc.sample(fc.tuple(version, version), { numRuns: 300, seed: 3 })
  const statements = pairs.map(([a, b]) => {
    const order = compareVersions(a, b)
    return [debianVersion(a), order < 0 ? 'lt' : order > 0 ? 'gt' : 'eq', debianVersion(b)] as const
  })
  expect(denied(statements)).toEqual([])
})

it.skipIf(!needTool('dpkg'))('epochs and revisions come before and after everything else', () => {
  const pairs = fc.sample(fc.tuple(version, version), { numRuns: 50, seed: 5 })
  const statements = pairs.flatMap(([a, b]) => [
    [debianVersion(a, { epoch: 1 }), 'gt', debianVersion(b)] as const,
    [debianVersion(a, { revision: '2' }), 'gt', debianVersion(a)] as const,
    [debianVersion(a, { revision: '1~bpo12+1' }), 'lt', debianVersion(a)] as const,
  ])
  expect(denied(statements)).toEqual([])
})

it.skipIf(!needTool('dpkg'))('what we take for a version, dpkg does, and what not, it does not', () => {
  const text = fc.string({ unit: fc.constantFrom(...'01a:-+~._'), minLength: 1, maxLength: 8 })
  const wrong = fc.sample(text, { numRuns: 200, seed: 7 }).filter(candidate => {
    // Digits first is policy; dpkg warns only.
    const { status, stderr } = spawnSync('dpkg', ['--compare-versions', candidate, 'eq', '1'], { encoding: 'utf8' })
    return (status !== 2 && stderr === '') !== isDebianVersion(candidate)
  })
  expect(wrong).toEqual([])
})
