import { describe, expect, it } from 'vitest'
import type { ReleaseError } from '../../../src/core/error.ts'
import { parseRecipe } from '../../../src/recipe/load.ts'
import { minimalRecipe } from './recipe-text.ts'

function problem(text: string): string {
  try {
    parseRecipe(`${minimalRecipe}${text}`, 'release.yaml')
  } catch (caught) {
    return (caught as ReleaseError).message
  }
  return ''
}

describe('configurationProblems', () => {
  it.each([
    ['a user that is none', 'node: { user: "Web Server" }\n', 'node.user: expected at most 31 of a-z'],
    ['a group without a user', 'node: { group: web }\n', 'node.group: expected a user'],
    [
      'an interpreter for no runtime',
      'node: { runtime: { kind: none, interpreter: bin/x } }\n',
      'node.runtime.interpreter: expected no interpreter for kind none',
    ],
    ['a shared folder that is cutover’s', 'node: { shared: [.secrets/x] }\n', 'node.shared[0]: expected another name'],
    [
      'a file that is cutover’s',
      'node: { files: [{ path: secrets.json }] }\n',
      'node.files[0].path: expected another name',
    ],
    [
      'a file where a shared folder is',
      'node: { shared: [data/db], files: [{ path: data }] }\n',
      'node.files[0].path: expected a file, found data',
    ],
    [
      'configuration in the virtualenv',
      'node: { config: [{ path: venv/x.ini, template: x.in }] }\n',
      'node.config[0].path: expected another place, for venv is cutover’s',
    ],
    [
      'configuration in the place of its template',
      'node: { config: [{ path: x.ini, template: x.ini }] }\n',
      'node.config[0].path: expected another path than that of its template',
    ],
    [
      'configuration in the place of what is shipped',
      'node: { config: [{ path: src, template: x.in }] }\n',
      'node.config[0].path: expected no path of the payload, which ships src',
    ],
    [
      'two configuration files of one path',
      'node: { config: [{ path: x.ini, template: a }, { path: x.ini, template: b }] }\n',
      'node.config[1].path: expected a path of its own, found x.ini as in node.config[0]',
    ],
    [
      'configuration that leaves the release',
      'node: { config: [{ path: ../x.ini, template: a }] }\n',
      'node.config[0].path: expected a relative path',
    ],
    [
      'a secret from two places',
      'node: { secrets: [{ name: KEY, command: { run: x }, age: key.age }] }\n',
      'node.secrets[0].age: expected one of command and age, found both',
    ],
    [
      'a secret with the name of a declared variable',
      'node: { variables: { KEY: { default: x } }, secrets: [{ name: KEY }] }\n',
      'node.secrets[0].name: expected a name that no variable has, found KEY as in node.variables',
    ],
    [
      'a secret whose file has the name of another',
      'node: { secrets: [{ name: KEY, as: file }, { name: KEY_FILE }] }\n',
      'node.secrets[0].name: expected a name that no variable has, found KEY_FILE as in node.secrets[1]',
    ],
    [
      'a default that is no port',
      'node: { variables: { PORT: { type: port, default: http } } }\n',
      'node.variables.PORT.default: expected a port from 1 to 65535, found "http"',
    ],
    [
      'a value of an environment that is no host',
      'node: { variables: { HOST: { type: host, default: a } } }\nenvironments: { staging: { variables: { HOST: "a b" } } }\n',
      'environments.staging.variables.HOST: expected the name of a host',
    ],
    [
      'a rehearsal without what only prefixes have',
      'node: { variables: { HOST: { type: host } } }\n',
      'rehearsal.variables: expected a value for HOST',
    ],
    [
      'a secret in the words of a service',
      'node:\n  secrets: [{ name: KEY }]\n  services: [{ name: web, command: [run, "${KEY}"] }]\n',
      'node.services[0].command[1]: expected no secret among words',
    ],
    [
      'a secret of elsewhere in setup',
      'node:\n  secrets: [{ name: KEY, age: key.age }]\n  setup: [{ run: [make], environment: { X: "${KEY}" } }]\n',
      'node.setup[0].environment.X: expected no secret',
    ],
    [
      'the value of a secret that is a file',
      'node:\n  secrets: [{ name: KEY, as: file }]\n  services: [{ name: web, command: [run], environment: { X: "${KEY}" } }]\n',
      'node.services[0].environment.X: expected ${KEY} to be a variable of every environment or a secret',
    ],
    [
      'an unknown placeholder in the command of a secret',
      'node:\n  secrets: [{ name: KEY, command: { run: [get, "${nope}"] } }]\n',
      'node.secrets[0].command.run[1]: expected one of the placeholders',
    ],
  ])('refuses %s', (_, text, message) => {
    expect(problem(text)).toContain(message)
  })

  it.each([
    ['the place of a secret that is a file', 'secrets: [{ name: KEY, as: file }]', '${KEY_FILE}'],
    ['a declared variable that only prefixes have', 'variables: { HOST: { type: host } }', '${HOST}'],
  ])('takes %s among the words of a service', (_, declared, word) => {
    const service = `{ name: web, command: [run, "${word}"] }`
    const rehearsal = declared.includes('HOST') ? 'rehearsal: { variables: { HOST: localhost } }\n' : ''
    expect(problem(`${rehearsal}node:\n  ${declared}\n  services: [${service}]\n`)).toBe('')
  })

  it('keeps hosts, ports and what differs between environments in one place', () => {
    const text = `node:
  variables:
    PUBLIC_HOST: { type: host, description: where clients find it }
    PORT: { type: port, default: "8080" }
environments:
  production: { variables: {} }
  staging: { variables: { PUBLIC_HOST: staging.example.org, PORT: "8081" } }
  development: { variables: { PUBLIC_HOST: localhost } }
rehearsal: { environment: development }
`
    expect(problem(text)).toBe('')
  })
})
