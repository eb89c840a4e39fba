import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { renderEnvironmentFile, renderServiceUnit, type UnitPlaces } from '../../../src/service/render-systemd.ts'
import { serviceSpec } from '../../support/services.ts'
import { tempFolder } from '../../support/temp.ts'
import { needTool } from '../../support/tools.ts'

const places: UnitPlaces = {
  unit: 'cutover-notes-web.service',
  root: '/var/notes',
  environmentFile: '/var/notes/run/service-web.env',
  logFile: '/var/notes/run/log/web.log',
  writable: ['/var/notes/shared', '/var/notes/run/a b'],
  socketUnits: [],
}
const spec = serviceSpec({
  argv: ['/bin/sh', '-c', 'echo $HOME %h "x" \\ ;'],
  cwd: '/var/notes/releases/1.0.0',
  environment: { TOKEN: 'very secret' },
  limits: { memoryBytes: 1024, openFiles: 64, processes: 10, cpu: 1.5 },
  account: { uid: 33, gid: 34, groups: [34, 4] },
  stopTimeoutMs: 1500,
})
const render = (changes: object = {}, more: Partial<UnitPlaces> = {}) =>
  renderServiceUnit({ spec: { ...spec, ...changes }, socket: '' }, { ...places, ...more })

describe('renderServiceUnit', () => {
  it('says how it runs, as whom, with what limits', () => {
    const lines = render().split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'Type=exec',
        'ExecStart=/bin/sh -c "echo $$HOME %%h \\"x\\" \\\\ ;"',
        'WorkingDirectory=/var/notes/releases/1.0.0',
        'EnvironmentFile=/var/notes/run/service-web.env',
        'StandardOutput=append:/var/notes/run/log/web.log',
        'Restart=always',
        'StartLimitIntervalSec=0',
        'TimeoutStopSec=1.5s',
        'User=33',
        'Group=34',
        'SupplementaryGroups=34 4',
        'MemoryMax=1024',
        'LimitNOFILE=64',
        'TasksMax=10',
        'CPUQuota=150%',
        'NoNewPrivileges=yes',
        'ProtectSystem=strict',
        'ReadWritePaths=-/var/notes/shared "-/var/notes/run/a b"',
      ]),
    )
  })

  it('holds nothing of the environment', () => {
    expect(render()).not.toContain('very secret')
  })

  it('leaves out what the recipe relaxes, and hides nothing that the prefix needs', () => {
    expect(render({ relax: ['PrivateDevices'] })).not.toContain('PrivateDevices')
    expect(render({}, { root: '/home/ada/notes' })).toContain('\nProtectHome=read-only\n')
    expect(render({}, { root: '/tmp/notes' })).toContain('\nPrivateTmp=no\n')
    expect(render({}, { root: '/homestead/notes' })).toContain('\nProtectHome=yes\n')
  })

  it('waits for one that tells, and takes the socket of a unit', () => {
    expect(render({ notifies: true })).toContain('\nType=notify\nNotifyAccess=all\n')
    expect(render({}, { socketUnits: ['cutover-notes-http.socket', 'cutover-notes-admin.socket'] })).toContain(
      '\nSockets=cutover-notes-http.socket cutover-notes-admin.socket\n',
    )
  })

  it('removes the socket of the life before', () => {
    const text = renderServiceUnit({ spec, socket: '/run/a b.sock' }, places)
    expect(text).toContain('\nExecStartPre=/bin/rm -f "/run/a b.sock"\nExecStart=')
  })

  it.each([
    ['a command', { argv: ['/bin/sh', 'a\nExecStartPre=/bin/evil'] }],
    ['a folder', { cwd: '/var/notes\nUser=root' }],
  ])('refuses a line end in %s', (_what, changes) => {
    expect(() => render(changes)).toThrow(expect.objectContaining({ code: 'RECIPE_PLACEHOLDER' }))
  })

  it.skipIf(!needTool('systemd-analyze'))('is accepted by systemd without a word', () => {
    const file = path.join(tempFolder(), places.unit)
    const account = { uid: 0, gid: 0, groups: [0] }
    fs.writeFileSync(file, renderServiceUnit({ spec: { ...spec, cwd: '/', account }, socket: '/run/x.sock' }, places))
    // Unknown keys are warnings with exit code 0: silence is what counts.
    expect(execFileSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8', stdio: 'pipe' })).toBe('')
  })
})

describe('renderEnvironmentFile', () => {
  it('keeps every sign', () => {
    const text = renderEnvironmentFile({ A: 'a "b" $c `d` \\ %h', B: 'one\ntwo\n', C: '' })
    expect(text).toBe('A="a \\"b\\" \\$c \\`d\\` \\\\ %h"\nB="one\ntwo\n"\nC=""\n')
  })

  it('refuses a NUL', () => {
    expect(() => renderEnvironmentFile({ A: 'a\0b' })).toThrow(expect.objectContaining({ code: 'RECIPE_PLACEHOLDER' }))
  })
})
