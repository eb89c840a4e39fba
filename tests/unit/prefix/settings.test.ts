import { describe, expect, it } from 'vitest'
import { parseIdentity } from '../../../src/prefix/identity.ts'
import {
  changeSettings,
  type PrefixSettings,
  settingEntries,
  settingForms,
  settingsProblem,
  showSetting,
} from '../../../src/prefix/settings.ts'

const all: PrefixSettings = {
  mirrors: ['https://mirror.example.org', '/srv/mirror'],
  mirrorOrder: 'fastest',
  bytesPerSecond: 10 * 1024 * 1024,
  keepReleases: 3,
  source: 'https://git.example.org/notes.git',
  ageKeyFile: '/etc/notes.key',
  driver: 'systemd',
  notify: { webhook: 'https://example.org/hook', webhookSecretFile: '/etc/hook', command: ['/bin/tell', 'all of it'] },
}

describe('settings', () => {
  it('are changed one by one, the others left as they are', () => {
    const changes = settingEntries(all).flatMap(([name, value]) => {
      const form = settingForms.find(each => each.name === name)!
      const texts = typeof value === 'object' ? value : [showSetting(form, value).replace('.0 ', '')]
      return texts.map(text => [name, text] as const)
    })
    expect(changeSettings({}, changes)).toEqual(all)
    expect(changeSettings(all, [['mirrors', '/mnt/mirror']])).toEqual({ ...all, mirrors: ['/mnt/mirror'] })
    expect(changeSettings(all, [['notify.command', '']]).notify).toEqual({
      webhook: 'https://example.org/hook',
      webhookSecretFile: '/etc/hook',
    })
    expect(
      changeSettings(
        all,
        settingForms.map(({ name }) => [name, '']),
      ),
    ).toEqual({})
  })

  it.each([
    ['mirrorOrder', 'random'],
    ['bytesPerSecond', '10'],
    ['keepReleases', '1'],
    ['keepReleases', '1e1'],
    ['source', '--upload-pack=evil'],
    ['ageKeyFile', 'key'],
    ['driver', 'docker'],
    ['notify.webhook', 'ftp://example.org'],
    ['notify', 'x'],
    ['toString', 'x'],
  ])('refuse %s=%s', (name, value) => {
    expect(() => changeSettings({}, [[name, value]])).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it('are read back only as they are written', () => {
    expect(settingsProblem(all)).toBeUndefined()
    expect(settingsProblem({ ...all, unknown: 1 })).toBeUndefined()
    expect(settingsProblem({ mirrors: 'https://mirror.example.org' })).toContain('settings.mirrors')
    expect(settingsProblem({ mirrors: [1] })).toContain('settings.mirrors')
    expect(settingsProblem({ keepReleases: '3' })).toContain('settings.keepReleases')
    expect(settingsProblem({ bytesPerSecond: -1 })).toContain('settings.bytesPerSecond')
    expect(settingsProblem({ notify: { command: 'x' } })).toContain('settings.notify.command')
    const identity = {
      schema: 1,
      layout: 1,
      application: 'notes',
      repository: 'file:///srv',
      environment: 'production',
    }
    expect(() => parseIdentity(JSON.stringify({ ...identity, variables: {}, settings: [] }), 'prefix.json')).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_INVALID' }),
    )
  })
})
