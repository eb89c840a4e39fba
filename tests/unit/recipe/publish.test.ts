import { expect, it } from 'vitest'
import type { ReleaseError } from '../../../src/core/error.ts'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { publishSettings } from '../../../src/recipe/publish.ts'
import { minimalRecipe } from './recipe-text.ts'

const settings = (publish: string) =>
  publishSettings(parseRecipe(`${minimalRecipe}publish: ${publish}\n`, 'release.yaml').recipe)

function problem(publish: string): string {
  try {
    settings(publish)
  } catch (caught) {
    return (caught as ReleaseError).message
  }
  return ''
}

it('says nothing of publishing when there is nothing said', () => {
  expect(settings('{}')).toEqual({ targets: [], announce: {} })
  expect(publishSettings(parseRecipe(minimalRecipe, 'release.yaml').recipe)).toEqual({ targets: [], announce: {} })
})

it('names places, a rate and who is told', () => {
  const targets = '[../repository, "s3://bucket/apt", "oci://registry.example:5000/team", "github:ada/notes"]'
  const webhook = '{ url: "https://example.org/hook?x=1", secretEnvironment: HOOK_SECRET }'
  const announce = `{ webhook: ${webhook}, command: [scripts/announce, --all] }`
  expect(settings(`{ targets: ${targets}, bandwidth: 1.5MiB/s, announce: ${announce} }`)).toEqual({
    targets: ['../repository', 's3://bucket/apt', 'oci://registry.example:5000/team', 'github:ada/notes'],
    bytesPerSecond: 1_572_864,
    announce: {
      webhook: { url: 'https://example.org/hook?x=1', secretEnvironment: 'HOOK_SECRET' },
      command: ['scripts/announce', '--all'],
    },
  })
  expect(settings('{ announce: { webhook: { url: "https://a.example/", secretFile: keys/hook } } }').announce).toEqual({
    webhook: { url: 'https://a.example/', secretFile: 'keys/hook' },
  })
})

it.each([
  ['a password in a place', '{ targets: ["https://ada:x@example.org/"] }', 'targets[0]: expected an address without'],
  ['a space in a place', '{ targets: ["a b"] }', 'targets[0]: expected a folder'],
  ['a place twice', '{ targets: [a, a] }', 'targets: expected each place once'],
  ['a size as a rate', '{ bandwidth: 10MiB }', 'bandwidth: expected a rate'],
  ['a rate of nothing', '{ bandwidth: 0MiB/s }', 'bandwidth: expected a rate'],
  [
    'two secrets',
    '{ announce: { webhook: { url: "https://a.example", secretFile: a, secretEnvironment: A } } }',
    'at most one',
  ],
  ['another protocol', '{ announce: { webhook: { url: "ftp://a.example" } } }', 'announce.webhook.url'],
  ['a password in the webhook', '{ announce: { webhook: { url: "https://a:b@a.example" } } }', 'without a user'],
  ['a secret elsewhere', '{ announce: { webhook: { url: "https://a.example", secretFile: /etc/x } } }', 'secretFile'],
  ['no command', '{ announce: { command: [] } }', 'announce.command'],
])('refuses %s', (_, publish, expected) => {
  expect(problem(publish)).toContain(expected)
})
