import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeBeacon } from '../support/beacon.ts'
import { type BootedRoot, type DebianRoot, makeDebian, needRoots } from '../support/debian-root.ts'
import { tempFolder } from '../support/temp.ts'

const name = 'beacon-server'
const conf = 'etc/beacon/beacon.conf'

/** Versions of the package, as files. */
const debs = { old: '', next: '' }
let newRoot: () => DebianRoot

describe.skipIf(!needRoots())('a package with a bit of everything', () => {
  beforeAll(async () => {
    const folder = tempFolder()
    newRoot = makeDebian()
    const old = await makeBeacon(folder, {
      version: '1.0.0',
      configuration: 'a = 1\n',
      files: { 'packaging/conf/gone.conf': 'x\n', 'packaging/conf/kept.conf': 'x\n' },
    })
    const next = await makeBeacon(folder, {
      version: '1.1.0-rc.1',
      configuration: 'a = 2\n',
      deb: ['removedConffiles: [etc/beacon/gone.conf, etc/beacon/kept.conf]'],
    })
    Object.assign(debs, { old: old.file, next: next.file })
  })

  describe('in a chroot', () => {
    it('is installed, upgraded, downgraded, removed and purged', () => {
      const { folder, run } = rootWithDebs()
      const at = (file: string) => path.join(folder, file)
      const dpkg = (...args: string[]) => run('dpkg', ...args)
      const version = () => run('dpkg-query', '--show', '--showformat=${Status} ${Version}', name)

      dpkg('--install', '/debs/old.deb')
      expect(version()).toBe('install ok installed 1:1.0.0-1')
      expect(run('dpkg', '--verify', name)).toBe('')
      expect(fs.readFileSync(at(conf), 'utf8')).toBe('a = 1\n')

      dpkg('--install', '/debs/next.deb')
      expect(version()).toBe('install ok installed 1:1.1.0~rc.1-1')
      expect(fs.readFileSync(at(conf), 'utf8')).toBe('a = 2\n')
      expect(fs.readdirSync(at('etc/beacon'))).toEqual(['beacon.conf'])

      expect(dpkg('--install', '/debs/old.deb')).toContain('downgrading beacon-server')
      expect(fs.readFileSync(at(conf), 'utf8')).toBe('a = 1\n')
      expect(fs.readdirSync(at('etc/beacon'))).toEqual(['beacon.conf', 'gone.conf', 'kept.conf'])

      dpkg('--remove', name)
      expect(fs.existsSync(at('usr/lib/beacon'))).toBe(false)
      expect(fs.existsSync(at(conf))).toBe(true)
      dpkg('--purge', name)
      expect(fs.existsSync(at('etc/beacon'))).toBe(false)
      expect(fs.existsSync(at('etc/default/beacon'))).toBe(false)
      expect(fs.existsSync(at('usr/share/doc/beacon-server'))).toBe(false)
      const calls = fs.readFileSync(at('var/log/beacon.log'), 'utf8').replaceAll(/ \d+$/gm, ' UID').split('\n')
      expect(calls).toEqual([
        'postinst configure  UID',
        'postinst configure 1:1.0.0-1 UID',
        'postinst configure 1:1.1.0~rc.1-1 UID',
        '',
      ])
    })

    it('treats changed configuration as dpkg is told to', () => {
      const { folder, run } = rootWithDebs()
      const at = (file: string) => path.join(folder, file)
      run('dpkg', '--install', '/debs/old.deb')
      fs.writeFileSync(at(conf), 'a = mine\n')
      fs.writeFileSync(at('etc/beacon/kept.conf'), 'mine\n')

      run('dpkg', '--force-confold', '--install', '/debs/next.deb')
      expect(fs.readFileSync(at(conf), 'utf8')).toBe('a = mine\n')
      expect(fs.readFileSync(at(`${conf}.dpkg-dist`), 'utf8')).toBe('a = 2\n')
      // What was changed is put aside, what was not is gone.
      expect(fs.readFileSync(at('etc/beacon/kept.conf.dpkg-old'), 'utf8')).toBe('mine\n')
      expect(fs.existsSync(at('etc/beacon/gone.conf'))).toBe(false)

      run('dpkg', '--force-confnew', '--install', '/debs/old.deb')
      expect(fs.readFileSync(at(conf), 'utf8')).toBe('a = 1\n')
      expect(fs.readFileSync(at(`${conf}.dpkg-old`), 'utf8')).toBe('a = mine\n')
    })

    it('makes its user, folders and alternative, and is told of its trigger', () => {
      const { folder, run } = rootWithDebs()
      const at = (file: string) => path.join(folder, file)
      run('dpkg', '--install', '/debs/old.deb')
      const [, , uid, gid, gecos, home, shell] = run('getent', 'passwd', 'beacon').trim().split(':')
      expect([gecos, home, shell]).toEqual([
        'Server that counts its own starts',
        '/var/lib/beacon',
        '/usr/sbin/nologin',
      ])
      expect(run('id', '-nG', 'beacon').trim()).toBe('beacon adm')
      expect(run('getent', 'group', 'beacon-readers')).toMatch(/^beacon-readers:/)
      for (const made of ['var/lib/beacon', 'var/cache/beacon']) {
        const { uid: owner, gid: group, mode } = fs.statSync(at(made))
        expect([made, String(owner), String(group), mode & 0o7777]).toEqual([made, uid, gid, 0o750])
      }
      expect(run('update-alternatives', '--query', 'lamp')).toMatch(/^Value: \/usr\/lib\/beacon\/bin\/beacon$/m)
      expect(fs.readlinkSync(at('usr/bin/lamp'))).toBe('/etc/alternatives/lamp')
      expect(fs.readlinkSync(at('etc/alternatives/lamp.1.gz'))).toBe('/usr/share/man/man1/beacon.1.gz')

      run('dpkg-trigger', '--by-package=dpkg', '/usr/share/beacon/plugins')
      run('dpkg', '--configure', '--pending')
      expect(fs.readFileSync(at('var/log/beacon.log'), 'utf8')).toContain(
        'postinst triggered /usr/share/beacon/plugins ',
      )

      run('dpkg', '--remove', name)
      expect(fs.existsSync(at('usr/bin/lamp'))).toBe(false)
      run('dpkg', '--purge', name)
      expect(run('getent', 'passwd', 'beacon')).toMatch(/^beacon:/)
    })

    it('is installed by apt, and its units are enabled where no systemd runs', () => {
      const { folder, run } = rootWithDebs()
      run('apt-get', 'install', '--yes', '--no-install-recommends', '/debs/old.deb')
      expect(enabledLinks(folder)).toEqual([
        'multi-user.target.wants/beacon-early.service',
        'multi-user.target.wants/beacon-steady.service',
        'multi-user.target.wants/beacon.service',
        'sockets.target.wants/beacon-echo.socket',
        'timers.target.wants/beacon-tick.timer',
      ])
      run('dpkg', '--purge', name)
      expect(enabledLinks(folder)).toEqual([])
      expect(fs.readdirSync(path.join(folder, 'var/lib/systemd/deb-systemd-helper-enabled'))).not.toContain(
        'beacon.service.dsh-also',
      )
    })
  })

  it('in a booted system its units live as systemd’s administrator wants', async () => {
    const root = rootWithDebs()
    const booted = await root.boot()
    const { run } = booted
    const state = (unit: string) => stateOf(booted, unit)
    const starts = () => fs.readFileSync(path.join(root.folder, 'var/lib/beacon/starts'), 'utf8').trim().split('\n')

    run('dpkg', '--install', '/debs/old.deb')
    expect(starts()).toEqual(['beacon 1.0.0'])
    expect(allStates(booted)).toEqual({
      'beacon.service': 'enabled active',
      'beacon-early.service': 'enabled active',
      'beacon-echo.socket': 'enabled active',
      'beacon-spare.service': 'disabled inactive',
      'beacon-steady.service': 'enabled active',
      'beacon-tick.service': 'static inactive',
      'beacon-tick.timer': 'enabled active',
    })

    const before = { early: invocation(booted, 'beacon-early'), steady: invocation(booted, 'beacon-steady') }
    run('dpkg', '--install', '/debs/next.deb')
    expect(starts()).toEqual(['beacon 1.0.0', 'beacon 1.1.0-rc.1'])
    expect(invocation(booted, 'beacon-early')).not.toBe(before.early)
    expect(invocation(booted, 'beacon-steady')).toBe(before.steady)

    // What an administrator chose stays, and what was never enabled is not touched.
    run('systemctl', 'disable', '--now', 'beacon.service')
    run('systemctl', 'mask', '--now', 'beacon-early.service')
    run('systemctl', 'start', 'beacon-spare.service')
    const spare = invocation(booted, 'beacon-spare')
    run('dpkg', '--install', '/debs/old.deb')
    expect(starts()).toHaveLength(2)
    expect([state('beacon.service'), state('beacon-early.service')]).toEqual(['disabled inactive', 'masked inactive'])
    expect(state('beacon-spare.service')).toBe('disabled active')
    expect(invocation(booted, 'beacon-spare')).not.toBe(spare)

    run('dpkg', '--remove', name)
    expect(new Set(Object.values(allStates(booted)).map(text => text.split(' ')[1]))).toEqual(new Set(['inactive']))
    expect(run('systemctl', 'show', '--property=LoadState', 'beacon.service').trim()).toBe('LoadState=not-found')

    run('dpkg', '--install', '/debs/old.deb')
    expect([state('beacon.service'), state('beacon-steady.service')]).toEqual(['disabled inactive', 'enabled active'])

    run('systemctl', 'unmask', 'beacon-early.service')
    run('dpkg', '--purge', name)
    expect(enabledLinks(root.folder)).toEqual([])
    run('dpkg', '--install', '/debs/next.deb')
    expect(state('beacon.service')).toBe('enabled active')
  })
})

function rootWithDebs(): DebianRoot {
  const root = newRoot()
  fs.mkdirSync(path.join(root.folder, 'debs'))
  for (const [version, file] of Object.entries(debs))
    fs.copyFileSync(file, path.join(root.folder, `debs/${version}.deb`))
  return root
}

/** What is enabled of ours, as links below /etc/systemd/system. */
function enabledLinks(folder: string): string[] {
  const found = fs.readdirSync(path.join(folder, 'etc/systemd/system'), { recursive: true, encoding: 'utf8' })
  return found.filter(file => /\/beacon[^/]*$/.test(file)).sort()
}

function stateOf({ run }: BootedRoot, unit: string): string {
  return run('sh', '-c', 'echo "$(systemctl is-enabled "$0") $(systemctl is-active "$0")"', unit)
    .trim()
    .split('\n')
    .at(-1)!
}

function allStates(booted: BootedRoot): Record<string, string> {
  const services = ['beacon', 'beacon-early', 'beacon-spare', 'beacon-steady', 'beacon-tick'].map(
    each => `${each}.service`,
  )
  const units = [...services, 'beacon-echo.socket', 'beacon-tick.timer']
  return Object.fromEntries(units.map(unit => [unit, stateOf(booted, unit)]))
}

function invocation({ run }: BootedRoot, service: string): string {
  return run('systemctl', 'show', '--property=InvocationID', `${service}.service`).trim()
}
