import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { type DebScripts, type DebUnit, renderScripts } from '../../../src/envelope/deb-scripts.ts'
import { tempFolder } from '../../support/temp.ts'

const unit: DebUnit = { name: 'app.service', text: '', enable: true }

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

describe('renderScripts', () => {
  it('makes no scripts when there is nothing to do', () => {
    expect(renderScripts({ postinst: ' \n' }, []).size).toBe(0)
  })

  it('runs the recipe’s text with the arguments of dpkg, and fails with it', () => {
    const scripts = renderScripts({ preinst: 'test "$1" = install\n' }, [])
    expect(run(scripts.get('preinst')!, ['install']).exitCode).toBe(0)
    expect(run(scripts.get('preinst')!, ['upgrade']).exitCode).not.toBe(0)
  })

  it('enables and starts on installation', () => {
    const postinst = renderScripts({}, [unit]).get('postinst')!
    expect(run(postinst, ['configure', '']).calls).toEqual([
      'deb-systemd-helper --quiet was-enabled app.service',
      'deb-systemd-helper enable app.service',
      'systemctl --system daemon-reload',
      'deb-systemd-invoke start app.service',
    ])
  })

  it('restarts on upgrade and keeps a unit disabled that was disabled', () => {
    const postinst = renderScripts({}, [unit]).get('postinst')!
    expect(run(postinst, ['configure', '1.0.0-1'], false).calls).toEqual([
      'deb-systemd-helper --quiet was-enabled app.service',
      'deb-systemd-helper update-state app.service',
      'systemctl --system daemon-reload',
      'deb-systemd-invoke restart app.service',
    ])
  })

  it('never enables a unit that is not to be enabled', () => {
    const postinst = renderScripts({}, [{ ...unit, enable: false }]).get('postinst')!
    expect(run(postinst, ['configure', '']).calls.join('\n')).not.toContain(' enable ')
  })

  it('starts although the recipe’s text exits early, and after it', () => {
    const postinst = renderScripts({ postinst: 'echo recipe >> "$(dirname "$(command -v systemctl)")/log"\nexit 0' }, [
      unit,
    ])
    const { calls } = run(postinst.get('postinst')!, ['configure', ''])
    expect(calls[0]).toBe('recipe')
    expect(calls.at(-1)).toBe('deb-systemd-invoke start app.service')
  })

  it('stops before removal but not before an upgrade', () => {
    const prerm = renderScripts({}, [unit]).get('prerm')!
    expect(run(prerm, ['remove']).calls).toEqual(['deb-systemd-invoke stop app.service'])
    expect(run(prerm, ['upgrade', '2.0.0-1']).calls).toEqual([])
  })

  it('forgets the state of a unit when it is purged', () => {
    const postrm = renderScripts({}, [unit]).get('postrm')!
    expect(run(postrm, ['purge']).calls).toEqual(['deb-systemd-helper purge app.service'])
    expect(run(postrm, ['remove']).calls).toEqual(['systemctl --system daemon-reload'])
  })

  it('makes scripts that sh understands', () => {
    const all: DebScripts = { preinst: 'true', postinst: 'true', prerm: 'true', postrm: 'true' }
    for (const text of renderScripts(all, [unit, { ...unit, name: 'app-worker@.service' }]).values()) {
      expect(execFileSync('/bin/sh', ['-n', '-c', text]).toString()).toBe('')
    }
  })

  it('refuses names that are not units, and text with its own #!', () => {
    const refused = expect.objectContaining({ code: 'DEB_FIELD' })
    expect(() => renderScripts({}, [{ ...unit, name: "a'; rm -rf /; '.service" }])).toThrow(refused)
    expect(() => renderScripts({}, [{ ...unit, name: '../a.service' }])).toThrow(refused)
    expect(() => renderScripts({ prerm: '#!/bin/bash\ntrue' }, [])).toThrow(refused)
  })
})
