import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from '../../../src/registry/challenge.ts'

describe('a challenge', () => {
  it.each([
    ['Basic realm="the tests"', [{ scheme: 'basic', parameters: { realm: 'the tests' } }]],
    [
      'Bearer realm="https://auth.example/token",service="a.example",scope="repository:a/b:pull,push"',
      [
        {
          scheme: 'bearer',
          parameters: { realm: 'https://auth.example/token', service: 'a.example', scope: 'repository:a/b:pull,push' },
        },
      ],
    ],
    [
      'Bearer realm="https://auth.example/token"',
      [{ scheme: 'bearer', parameters: { realm: 'https://auth.example/token' } }],
    ],
    ['BASIC Realm = plain', [{ scheme: 'basic', parameters: { realm: 'plain' } }]],
    [
      'Negotiate, Basic realm="x", Bearer realm="y" , error="z"',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'x' } },
        { scheme: 'bearer', parameters: { realm: 'y', error: 'z' } },
      ],
    ],
    [
      'Negotiate YII+/a==, Basic realm="x"',
      [
        { scheme: 'negotiate', parameters: {} },
        { scheme: 'basic', parameters: { realm: 'x' } },
      ],
    ],
    ['Basic realm="say \\"a, b\\""', [{ scheme: 'basic', parameters: { realm: 'say "a, b"' } }]],
    ['Bearer realm="a",scope=""', [{ scheme: 'bearer', parameters: { realm: 'a', scope: '' } }]],
    ['', []],
    [' , ,', []],
  ])('%s', (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected)
  })

  it.each([
    'Bearer realm="https://auth.example',
    'Bearer realm="a",realm="b"',
    'Bearer realm="a" scope="b"',
    'Bearer realm="a"x',
    'Bearer "a"',
    '"a"',
    'Basic realm="a\u0000b"extra',
    'a b c d',
  ])('%j is none', header => {
    expect(parseChallenges(header)).toBeUndefined()
  })

  it('is read as it was written, whatever stands in its values', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/)
    const parameters = fc.dictionary(name, fc.stringMatching(/^[ -~]*$/), {
      minKeys: 1,
      maxKeys: 4,
      noNullPrototype: true,
    })
    const challenge = fc.record({ scheme: name, parameters })
    fc.assert(
      fc.property(fc.array(challenge, { minLength: 1, maxLength: 3 }), challenges => {
        const quote = (value: string) => `"${value.replace(/["\\]/g, '\\$&')}"`
        const written = challenges.map(
          ({ scheme, parameters }) =>
            `${scheme} ${Object.entries(parameters)
              .map(([key, value]) => `${key}=${quote(value)}`)
              .join(', ')}`,
        )
        expect(parseChallenges(written.join(', '))).toEqual(challenges)
      }),
    )
  })

  it('is read to an end, whatever it is', () => {
    fc.assert(fc.property(fc.string(), header => void parseChallenges(header)))
    expect(parseChallenges(`Bearer ${'a="b",'.repeat(2)}`)).toBeUndefined()
    expect(parseChallenges(`Basic realm="${'\\'.repeat(50_000)}`)).toBeUndefined()
  })
})
