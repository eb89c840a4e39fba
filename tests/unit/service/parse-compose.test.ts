import { describe, expect, it } from 'vitest'
import { type ComposeContext, parseComposeService } from '../../../src/service/parse-compose.ts'

const files: Readonly<Record<string, string>> = { '/p/releases/1/deploy/web.env': '# why\nA=from file\nB=b=c "d"\n\n' }
const context: ComposeContext = {
  place: '/p/releases/1/deploy/compose.yaml',
  service: 'web',
  services: ['web', 'db'],
  fill: text => text.replaceAll('${shared}', '/p/shared'),
  folder: '/p/releases/1/deploy',
  releaseFolder: '/p/releases/1',
  sharedFolder: '/p/shared',
  read: file => files[file],
}
const parse = (web: object, top: object = {}) => parseComposeService({ services: { web, db: {} }, ...top }, context)

describe('parseComposeService', () => {
  it('reads what it understands', () => {
    const web = {
      image: 'example.org/web',
      command: ['serve', '${shared}/x'],
      env_file: 'web.env',
      environment: { A: 'a', N: 1, T: true },
      volumes: ['./etc:/etc/app', '${shared}/data:/data', '${shared}/ro:/ro:ro'],
      secrets: ['token'],
      working_dir: '/srv',
    }
    expect(parse(web, { version: '3', secrets: { token: { file: '${shared}/token' } } })).toEqual({
      image: 'example.org/web',
      command: ['serve', '/p/shared/x'],
      environment: { A: 'a', B: 'b=c "d"', N: '1', T: 'true' },
      mounts: [
        { from: '/p/releases/1/deploy/etc', to: '/etc/app', readOnly: true },
        { from: '/p/shared/data', to: '/data', readOnly: false },
        { from: '/p/shared/ro', to: '/ro', readOnly: true },
        { from: '/p/shared/token', to: '/run/secrets/token', readOnly: true },
      ],
      workingDirectory: '/srv',
    })
  })

  it('takes variables as a list, too', () => {
    expect(parse({ environment: ['A=b=c'] }).environment).toEqual({ A: 'b=c' })
  })

  it.each([
    ['a key that it does not understand', { privileged: true }],
    ['another: ports', { ports: ['80:80'] }],
    ['a folder of the machine', { volumes: ['/etc:/etc'] }],
    ['a way out of the release', { volumes: ['../../2/x:/x'] }],
    ['a way out of the shared folder', { volumes: ['${shared}/../run:/x'] }],
    ['a neighbour that begins alike', { volumes: ['${shared}-other:/x'] }],
    ['a named volume', { volumes: ['data'] }],
    ['an unknown mode', { volumes: ['./a:/a:z'] }],
    ['a command for a shell', { command: 'serve --x' }],
    ['a variable without a value', { environment: ['A'] }],
    ['another one', { environment: { A: null } }],
    ['a file that is not there', { env_file: 'missing.env' }],
    ['a file of the machine', { env_file: '/etc/passwd' }],
    ['a secret that is not defined', { secrets: ['token'] }],
  ])('refuses %s', (_what, web) => {
    expect(() => parse(web)).toThrow(expect.objectContaining({ code: 'COMPOSE_INVALID' }))
  })

  it.each([
    ['a secret that the environment has', { secrets: { token: { environment: 'TOKEN' } } }],
    ['a secret of the machine', { secrets: { token: { file: '/etc/shadow' } } }],
    ['networks', { networks: {} }],
    ['services that nothing runs', { services: { web: {}, cache: {} } }],
    ['no such service', { services: { db: {} } }],
    ['services that are none', { services: [] }],
  ])('refuses %s at the top', (_what, top) => {
    const whole = {
      services: { web: { secrets: ['token'] }, db: {} },
      secrets: { token: { file: '${shared}/t' } },
      ...top,
    }
    expect(() => parseComposeService(whole, context)).toThrow(expect.objectContaining({ code: 'COMPOSE_INVALID' }))
  })

  it.each([undefined, null, 'text', [], 1])('refuses %j in place of a file', document => {
    expect(() => parseComposeService(document, context)).toThrow(expect.objectContaining({ code: 'COMPOSE_INVALID' }))
  })
})
