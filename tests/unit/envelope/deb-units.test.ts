import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { type DebScripts, ownScripts, renderScripts } from '../../../src/envelope/deb-part.ts'
import { type DebUnit, unitsPart } from '../../../src/envelope/deb-units.ts'
import { unitLife } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

const text = '[Install]\nWantedBy=multi-user.target\n'
const unit: DebUnit = { name: 'app.service', text, ...unitLife }

function scriptsOf(scripts: DebScripts, units: readonly DebUnit[]) {
  return renderScripts([ownScripts(scripts), unitsPart(units)])
}

/** Run a script as dpkg does, with commands of our own on PATH that write down how they are called. */
function run(script: string, args: readonly string[], wasEnabled = true): { calls: string[]; exitCode: number } {
  const folder = tempFolder()
  const log = path.join(folder, 'log')
  fs.writeFileSync(log, '')
  for (const name of ['deb-systemd-helper', 'deb-systemd-invoke', 'systemctl']) {
    const file = path.join(folder, name)
    const answer = wasEnabled ? '' : 'case "$*" in *was-enabled*) exit 1;; esac\n'
    fs.writeFileSync(file, `#!/bin/sh\necho "${name} $*" >> ${log}\n${answer}`, { mode: 0o755 })
  }
  // The scripts ask for a running systemd; here it always runs.
  const text = script.replaceAll('-d /run/systemd/system', '-d /')
  const environment = { PATH: `${folder}:/usr/bin:/bin` }
  const result = spawnSync('/bin/sh', ['-c', text, 'script', ...args], { env: environment })
  return { calls: fs.readFileSync(log, 'utf8').split('\n').slice(0, -1), exitCode: result.status ?? -1 }
}

const isAboutRunning = (call: string) => call.startsWith('deb-systemd-invoke')

describe('the scripts of a package with units', () => {
  it('makes no scripts when there is nothing to do', () => {
    expect(scriptsOf({ postinst: ' \n' }, []).size).toBe(0)
  })

  it('runs the recipe’s text with the arguments of dpkg, and fails with it', () => {
    const scripts = scriptsOf({ preinst: 'test "$1" = install\n' }, [])
    expect(run(scripts.get('preinst')!, ['install']).exitCode).toBe(0)
    expect(run(scripts.get('preinst')!, ['upgrade']).exitCode).not.toBe(0)
  })

  it('enables and starts on installation', () => {
    const postinst = scriptsOf({}, [unit]).get('postinst')!
    expect(run(postinst, ['configure', '']).calls).toEqual([
      'deb-systemd-helper unmask app.service',
      'deb-systemd-helper --quiet was-enabled app.service',
      'deb-systemd-helper enable app.service',
      'systemctl --system daemon-reload',
      'deb-systemd-invoke start app.service',
    ])
  })

  it('restarts on upgrade and keeps a unit disabled that was disabled', () => {
    const postinst = scriptsOf({}, [unit]).get('postinst')!
    expect(run(postinst, ['configure', '1.0.0-1'], false).calls).toEqual([
      'deb-systemd-helper unmask app.service',
      'deb-systemd-helper --quiet was-enabled app.service',
      'deb-systemd-helper update-state app.service',
      'systemctl --system daemon-reload',
      'deb-systemd-invoke restart app.service',
    ])
  })

  it('never enables a unit that is not to be enabled', () => {
    const postinst = scriptsOf({}, [{ ...unit, enable: false }]).get('postinst')!
    expect(run(postinst, ['configure', ''], false).calls).toEqual([
      'deb-systemd-helper debian-installed app.service',
      'deb-systemd-helper unmask app.service',
      'deb-systemd-helper --quiet was-enabled app.service',
      'deb-systemd-helper update-state app.service',
      'systemctl --system daemon-reload',
      'deb-systemd-invoke start app.service',
    ])
  })

  it('starts although the recipe’s text exits early, and after it', () => {
    const postinst = scriptsOf({ postinst: 'echo recipe >> "$(dirname "$(command -v systemctl)")/log"\nexit 0' }, [
      unit,
    ])
    const { calls } = run(postinst.get('postinst')!, ['configure', ''])
    expect(calls[0]).toBe('recipe')
    expect(calls.at(-1)).toBe('deb-systemd-invoke start app.service')
  })

  it('stops before removal but not before an upgrade', () => {
    const prerm = scriptsOf({}, [unit]).get('prerm')!
    expect(run(prerm, ['remove']).calls).toEqual(['deb-systemd-invoke stop app.service'])
    expect(run(prerm, ['upgrade', '2.0.0-1']).calls).toEqual([])
  })

  it('forgets the state of a unit when it is purged', () => {
    const postrm = scriptsOf({}, [unit]).get('postrm')!
    expect(run(postrm, ['purge']).calls).toEqual(['deb-systemd-helper purge app.service'])
    expect(run(postrm, ['upgrade', '2.0.0-1']).calls).toEqual([])
    expect(run(postrm, ['remove']).calls).toEqual(['systemctl --system daemon-reload'])
  })

  it('only restarts what runs when it is not to be started', () => {
    const postinst = scriptsOf({}, [{ ...unit, start: false }]).get('postinst')!
    const started = (...args: string[]) => run(postinst, ['configure', ...args]).calls.filter(isAboutRunning)
    expect(started('')).toEqual([])
    expect(started('1.0.0-1')).toEqual(['deb-systemd-invoke try-restart app.service'])
  })

  it('stops before the files change and starts again afterwards', () => {
    const scripts = scriptsOf({}, [{ ...unit, restart: 'stop-start' }])
    const running = (name: 'preinst' | 'prerm' | 'postinst', ...args: string[]) =>
      run(scripts.get(name)!, args).calls.filter(isAboutRunning)
    expect(running('preinst', 'install', '1.0.0-1')).toEqual([])
    expect(running('prerm', 'upgrade', '2.0.0-1')).toEqual([])
    expect(running('preinst', 'upgrade', '1.0.0-1')).toEqual(['deb-systemd-invoke stop app.service'])
    expect(running('postinst', 'configure', '1.0.0-1')).toEqual(['deb-systemd-invoke start app.service'])
    expect(running('prerm', 'remove')).toEqual(['deb-systemd-invoke stop app.service'])
  })

  it('leaves a unit alone that an upgrade is not to touch', () => {
    const scripts = scriptsOf({}, [{ ...unit, restart: 'none' }])
    expect(scripts.has('preinst')).toBe(false)
    const running = (name: 'prerm' | 'postinst', ...args: string[]) =>
      run(scripts.get(name)!, args).calls.filter(isAboutRunning)
    expect(running('prerm', 'upgrade', '2.0.0-1')).toEqual([])
    // A start does nothing to what runs; after a removal without a purge it is needed.
    expect(running('postinst', 'configure', '1.0.0-1')).toEqual(['deb-systemd-invoke start app.service'])
  })

  it('does not enable what nothing could enable, and nothing of a template', () => {
    const fixed = { ...unit, text: '[Service]\n' }
    const postinst = scriptsOf({}, [fixed, { ...unit, name: 'app@.service' }]).get('postinst')!
    expect(postinst).not.toContain('deb-systemd-helper')
    expect(postinst).not.toContain('app@')
    expect(unitsPart([{ ...unit, name: 'app@.service' }]).scripts).toBeUndefined()
  })

  it('puts units where systemd looks for them', () => {
    expect(unitsPart([unit]).entries).toMatchObject([{ path: 'usr/lib/systemd/system/app.service', mode: 0o644 }])
  })

  it('makes scripts that sh understands', () => {
    const all: DebScripts = { preinst: 'true', postinst: 'true', prerm: 'true', postrm: 'true' }
    for (const text of scriptsOf(all, [unit, { ...unit, name: 'app-worker@.service' }]).values()) {
      expect(execFileSync('/bin/sh', ['-n', '-c', text]).toString()).toBe('')
    }
  })

  it('refuses names that are not units, and text with its own #!', () => {
    const refused = expect.objectContaining({ code: 'DEB_FIELD' })
    expect(() => scriptsOf({}, [{ ...unit, name: "a'; rm -rf /; '.service" }])).toThrow(refused)
    expect(() => scriptsOf({}, [{ ...unit, name: '../a.service' }])).toThrow(refused)
    expect(() => scriptsOf({}, [{ ...unit, name: '--now.service' }])).toThrow(refused)
    expect(() => scriptsOf({}, [{ ...unit, name: '$(id).service' }])).toThrow(refused)
    expect(() => scriptsOf({ prerm: '#!/bin/bash\ntrue' }, [])).toThrow(refused)
  })
})
