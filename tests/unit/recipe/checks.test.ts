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

const web = '{ name: web, command: [node, main.js], listens: true }'

describe('recipeProblems', () => {
  it.each([
    [
      'two listening services',
      `node:\n  gate: { listen: "unix:x" }\n  services:\n    - ${web}\n    - ${web.replace('web', 'api')}\n`,
      'node.services[1].listens: expected one listening service',
    ],
    [
      'TLS in mode handover',
      'node:\n  gate: { mode: handover, listen: ["unix:x", { address: "[::]:443", tls: true }] }\n',
      'node.gate.listen[1].tls: expected no tls in mode handover',
    ],
    [
      'TLS without a certificate',
      'node:\n  gate: { listen: ["unix:x", { address: "[::]:443", tls: true }] }\n',
      'node.gate.listen[1].tls: expected a certificate',
    ],
    [
      'a mistyped placeholder of a certificate',
      'node:\n  gate: { listen: "unix:x", tls: { certificate: "${share}/a.pem", key: /a.key } }\n',
      'node.gate.tls.certificate: expected one of the placeholders',
    ],
    [
      'the PROXY protocol in mode handover',
      'node:\n  gate: { mode: handover, listen: [{ address: "unix:x", proxyProtocol: true }] }\n',
      'node.gate.listen[0].proxyProtocol: expected no proxyProtocol',
    ],
    [
      'two versions at one socket that nobody can tell apart',
      'node:\n  health: { http: { path: /, contains: "version" } }\n  gate: { mode: handover, overlap: true, listen: "unix:x" }\n',
      'node.gate.overlap: expected node.health.http with ${version}',
    ],
    [
      'a soft phase of requests that do not pass through the gate',
      'node:\n  gate: { mode: handover, soft: { for: 5m }, listen: "unix:x" }\n',
      'node.gate.soft.for: expected 0s in mode handover',
    ],
    [
      'a service whose socket no server of the machine reaches',
      'node:\n  gate: { mode: nginx, listen: "unix:x" }\n  services: [{ name: web, command: [a, "${socket}"], listens: true }]\n',
      'node.services[0]: expected ${port} in mode nginx',
    ],
    [
      'a mistyped placeholder of a server in front',
      'node:\n  gate: { haproxy: { map: "/etc/${relaese}.map" } }\n',
      'node.gate.haproxy.map: expected one of the placeholders',
    ],
    [
      'somebody who may pass in mode handover',
      'node:\n  gate: { mode: handover, bypass: { networks: [10.0.0.0/8] }, listen: "unix:x" }\n',
      'node.gate.bypass: expected none in mode handover',
    ],
    [
      'a token that nobody makes',
      'node:\n  secrets: [{ name: KEY }]\n  gate: { bypass: { secret: LOOK }, listen: "unix:x" }\n',
      'node.gate.bypass.secret: expected one of KEY, found LOOK',
    ],
    [
      'two services of one name',
      'node:\n  services: [{ name: web, command: [a] }, { name: web, command: [b] }]\n',
      'node.services[1].name: expected a name of its own, found web as in node.services[0]',
    ],
    [
      'two migrations of one name',
      'node:\n  migrations: [{ name: one, run: [a], phase: short }, { name: one, run: [b], phase: short }]\n',
      'node.migrations[1].name: expected a name of its own',
    ],
    [
      'python without a vendor folder',
      'node:\n  runtime: { kind: python, packages: [weave] }\n',
      'node.runtime: expected vendor',
    ],
    [
      'a systemd unit for a virtualenv',
      'artifacts: { deb: { unit: {} } }\nnode:\n  runtime: { kind: python, packages: [weave], vendor: v }\n',
      'artifacts.deb.unit: expected no unit for kind python',
    ],
    [
      'a component with the name of the application',
      'components: [{ name: notes, summary: x, payload: { root: opt/x, entries: [{ from: x }] } }]\n',
      'components[0].name: expected a name of its own, found notes a second time',
    ],
    [
      'a component with the package of another',
      'artifacts: { deb: { package: all } }\ncomponents: [{ name: two, summary: x, payload: { root: opt/x, entries: [{ from: x }] }, deb: { package: all } }]\n',
      'components[0].deb: expected a package of its own, found all a second time',
    ],
    [
      'packages without python',
      'node:\n  runtime: { kind: node, packages: [weave] }\n',
      'node.runtime.packages: expected no packages for kind node',
    ],
    [
      'the version as Python writes it without Python',
      'node:\n  runtime: { kind: node }\n  services: [{ name: job, command: [a, "${pythonVersion}"] }]\n',
      'node.services[0].command[1]: expected one of the placeholders',
    ],
    [
      'two ways to find health out',
      `node:\n  gate: { listen: "unix:x" }\n  services: [${web}]\n  health: { http: {}, command: { run: [a] } }\n`,
      'node.health.command: expected one of http and command, found both',
    ],
    ['health over HTTP without a listener', 'node:\n  health: { http: {} }\n', 'node.health.http: expected a service'],
    [
      'a secret with the name of a variable',
      'node:\n  secrets: [{ name: KEY }]\nenvironments:\n  production: { variables: { KEY: x } }\n',
      'node.secrets[0].name: expected a name that no variable has, found KEY as in environments.production',
    ],
    [
      'a rehearsal in an unknown environment',
      'rehearsal: { environment: staging }\n',
      'rehearsal.environment: expected one of the environments production, found staging',
    ],
    [
      'a variable that one environment lacks',
      `node:\n  services: [${web}]\nenvironments:\n  production: { variables: { PORT: "1" } }\n  test: {}\n`,
      'node.gate.listen: expected ${PORT} to be a variable of every environment or a secret, found none in test',
    ],
    [
      'a mistyped placeholder',
      'node:\n  services: [{ name: job, command: ["${relaese}/x"] }]\n',
      'found ${relaese}; did you mean ${release}?',
    ],
    [
      'a secret among the words of a command, where everybody could read it',
      'node:\n  secrets: [{ name: KEY }]\n  migrations: [{ name: one, run: [a, "${KEY}"], phase: short }]\n',
      'node.migrations[0].run[1]: expected no secret among words',
    ],
    [
      'an address for a service that does not listen',
      'node:\n  services: [{ name: job, command: ["${port}"] }]\n',
      'node.services[0].command[0]: expected one of the placeholders',
    ],
  ])('finds %s', (_, text, expected) => {
    expect(problem(text)).toContain(expected)
  })

  it('accepts placeholders where they have a value, and the shell’s own in text for the shell', () => {
    const text = `node:
  services: [{ name: web, command: ["\${runtime}", "\${release}/main.js", "\${port}", "$$HOME"], listens: true }]
  setup: [{ run: "echo \${HOME:-none}" }]
  secrets: [{ name: KEY }]
  migrations: [{ name: one, run: ["\${shared}"], environment: { K: "\${KEY}" }, phase: expand }]
environments:
  production: { variables: { PORT: "8080" } }
`
    expect(problem(text)).toBe('')
  })
})
