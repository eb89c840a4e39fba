import { describe, expect, it } from 'vitest'
import type { ContainerSpec } from '../../../src/service/driver.ts'
import { parseContainerState } from '../../../src/service/parse-podman.ts'
import { type ContainerPlaces, renderPodmanEnvironment, renderPodmanRun } from '../../../src/service/render-podman.ts'
import { serviceSpec } from '../../support/services.ts'

const image = `registry.example.org/notes@sha256:${'0'.repeat(64)}`
const container: ContainerSpec = {
  image,
  network: 'host',
  mounts: [{ from: '/var/notes/shared', to: '/var/notes/shared', readOnly: false }],
  workingDirectory: undefined,
  keepsEntrypoint: false,
}
const places: ContainerPlaces = {
  container: 'cutover-notes-web',
  instance: 'cutover-notes',
  environmentFile: '/var/notes/run/service-web.env',
  logFile: '/var/notes/run/log/web.log',
  port: '4711',
  kind: 'service',
}
const render = (changes: Partial<ContainerSpec> = {}, spec = {}, more: Partial<ContainerPlaces> = {}) =>
  renderPodmanRun(
    serviceSpec({ argv: ['serve', '--x'], ...spec }),
    { ...container, ...changes },
    { ...places, ...more },
  )

describe('renderPodmanRun', () => {
  it('starts the image by its digest, with as little as can be', () => {
    const words = render()
    expect(words.slice(-4)).toEqual(['--entrypoint=', image, 'serve', '--x'])
    expect(words).toEqual(
      expect.arrayContaining([
        '--detach',
        '--replace',
        '--name=cutover-notes-web',
        '--env-file=/var/notes/run/service-web.env',
        '--log-opt=path=/var/notes/run/log/web.log',
        '--restart=no',
        '--network=host',
        '--mount=type=bind,source=/var/notes/shared,target=/var/notes/shared',
        '--security-opt=no-new-privileges',
        '--cap-drop=all',
      ]),
    )
  })

  it('never has a value of the environment among its words', () => {
    expect(render({}, { environment: { TOKEN: 'very secret' } }).join(' ')).not.toContain('secret')
  })

  it('says limits and user', () => {
    const limits = { memoryBytes: 1024, openFiles: 64, processes: 10, cpu: 1.5 }
    const words = render({}, { limits, account: { uid: 33, gid: 34, groups: [34, 4] } })
    const expected = [
      '--memory=1024b',
      '--ulimit=nofile=64:64',
      '--pids-limit=10',
      '--cpus=1.5',
      '--user=33:34',
      '--group-add=4',
    ]
    expect(words).toEqual(expect.arrayContaining(expected))
  })

  it('publishes the port on this machine alone, and only from a network of its own', () => {
    expect(render({ network: 'bridge' })).toContain('--publish=127.0.0.1:4711:4711')
    expect(render({ network: 'bridge' }, {}, { port: '' }).join(' ')).not.toContain('--publish')
    expect(render().join(' ')).not.toContain('--publish')
  })

  it('keeps what the image says, relaxes what the recipe does, and leaves nothing of a job', () => {
    expect(render({ keepsEntrypoint: true })).not.toContain('--entrypoint=')
    expect(render({ workingDirectory: '/srv' })).toContain('--workdir=/srv')
    const relaxed = render({}, { relax: ['CapabilityBoundingSet', 'NoNewPrivileges'] }).join(' ')
    expect(relaxed).not.toMatch(/cap-drop|no-new-privileges/)
    const job = render({}, {}, { kind: 'job' })
    expect(job).toContain('--rm')
    expect(job).not.toContain('--detach')
  })

  it.each(['/a,readonly=false', '/a"b', '/a\nb'])('refuses to mount %j', from => {
    expect(() => render({ mounts: [{ from, to: '/x', readOnly: true }] })).toThrow(
      expect.objectContaining({ code: 'SERVICE_DRIVER_UNSUITABLE' }),
    )
  })
})

describe('renderPodmanEnvironment', () => {
  it('writes values as they are', () => {
    expect(renderPodmanEnvironment({ A: 'a "b" $c # d', B: '' })).toBe('A=a "b" $c # d\nB=\n')
  })

  it.each(['a\nB=b', 'a\r', 'a\0'])('refuses %j, which would be another variable or cut', value => {
    expect(() => renderPodmanEnvironment({ A: value })).toThrow(
      expect.objectContaining({ code: 'SERVICE_DRIVER_UNSUITABLE' }),
    )
  })
})

it.each([
  [
    { Status: 'running', Pid: 12, ExitCode: 0, OOMKilled: false },
    { kind: 'running', pid: 12 },
  ],
  [{ Status: 'created', Pid: 0, ExitCode: 0, OOMKilled: false }, { kind: 'starting' }],
  [
    { Status: 'exited', Pid: 0, ExitCode: 7, OOMKilled: false },
    { kind: 'ended', lastExit: 'exit code 7' },
  ],
  [
    { Status: 'exited', Pid: 0, ExitCode: 137, OOMKilled: true },
    { kind: 'ended', lastExit: 'exit code 137 (out of memory)' },
  ],
])('reads the state %j', (state, expected) => {
  expect(parseContainerState(JSON.stringify(state))).toEqual(expected)
})
