import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { DebOptions } from '../../src/envelope/deb.ts'
import { makeDeb, testEnvelopes, unitLife } from '../support/envelopes.ts'
import type { TestFiles } from '../support/payload.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const isRoot = process.getuid?.() === 0

/** A root file system with nothing but a shell, and dpkg working in it from outside. */
function dpkgRoot(): { readonly root: string; readonly dpkg: (...args: string[]) => string } {
  const root = tempFolder()
  for (const name of ['bin', 'etc', 'tmp', 'var/lib/dpkg/info', 'var/lib/dpkg/updates', 'usr/bin', 'lib']) {
    fs.mkdirSync(path.join(root, name), { recursive: true })
  }
  fs.writeFileSync(path.join(root, 'var/lib/dpkg/status'), '')
  for (const file of ['/bin/sh', ...librariesOf('/bin/sh')]) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true })
    fs.copyFileSync(file, path.join(root, file))
  }
  const dpkg = (...args: string[]) =>
    execFileSync('dpkg', [`--root=${root}`, '--force-bad-path', '--force-confold', ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  return { root, dpkg }
}

function librariesOf(file: string): string[] {
  const lines = execFileSync('ldd', [file], { encoding: 'utf8' }).split('\n')
  return lines.flatMap(line => /(\/\S+) \(0x/.exec(line)?.[1] ?? [])
}

const unit = { name: 'app.service', text: '[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\n', ...unitLife }
/** Each script writes down that it ran and with what. */
const scripts = Object.fromEntries(
  ['preinst', 'postinst', 'prerm', 'postrm'].map(name => [name, `echo "${name} $1" >> /var/script-log`]),
)

async function deb(version: string, files: TestFiles): Promise<string> {
  const envelopes = await testEnvelopes(tempFolder(), files)
  const control = { ...envelopes.debOptions.control, version, fields: {} }
  const options: Partial<DebOptions> = { control, scripts, units: [unit], conffiles: ['opt/app/etc/app.conf'] }
  await makeDeb(envelopes, options)
  return envelopes.debOptions.file
}

describe.skipIf(!isRoot || !needTool('dpkg', 'ldd'))('a package in the hands of dpkg', () => {
  let old: string
  let next: string

  beforeAll(async () => {
    const files = { 'bin/run.sh': '#!/bin/sh\n', 'etc/app.conf': 'a = 1\n', link: { link: 'bin/run.sh' } }
    old = await deb('1.0.0~rc.1-1', { ...files, 'lib/gone': 'x' })
    next = await deb('1.0.0-1', { ...files, 'etc/app.conf': 'a = 2\n', 'lib/new': 'y' })
  })

  it('is installed, upgraded, removed and purged', () => {
    const { root, dpkg } = dpkgRoot()
    const at = (name: string) => path.join(root, name)
    const state = () => dpkg('--status', 'app').match(/^(Status|Version): .*$/gm)
    dpkg('--install', old)
    expect(state()).toEqual(['Status: install ok installed', 'Version: 1.0.0~rc.1-1'])
    expect(fs.readlinkSync(at('opt/app/link'))).toBe('bin/run.sh')
    expect(dpkg('--verify', 'app')).toBe('')
    fs.writeFileSync(at('opt/app/etc/app.conf'), 'a = mine\n')
    dpkg('--install', next)
    expect(state()).toEqual(['Status: install ok installed', 'Version: 1.0.0-1'])
    expect([fs.existsSync(at('opt/app/lib/gone')), fs.existsSync(at('opt/app/lib/new'))]).toEqual([false, true])
    expect(fs.readFileSync(at('opt/app/etc/app.conf'), 'utf8')).toBe('a = mine\n')
    dpkg('--remove', 'app')
    expect(fs.existsSync(at('opt/app/bin'))).toBe(false)
    expect(fs.existsSync(at('opt/app/etc/app.conf'))).toBe(true)
    dpkg('--purge', 'app')
    expect(fs.existsSync(at('opt'))).toBe(false)
    expect(fs.existsSync(at('usr/lib/systemd'))).toBe(false)
    expect(fs.readFileSync(at('var/script-log'), 'utf8').trim().split('\n')).toEqual([
      'preinst install',
      'postinst configure',
      'prerm upgrade',
      'preinst upgrade',
      'postrm upgrade',
      'postinst configure',
      'prerm remove',
      'postrm remove',
      'postrm purge',
    ])
  })

  it('tells dpkg of a file that was changed', () => {
    const { root, dpkg } = dpkgRoot()
    dpkg('--install', next)
    fs.appendFileSync(path.join(root, 'opt/app/lib/new'), 'z')
    expect(() => dpkg('--verify', 'app')).not.toThrow()
    expect(dpkg('--verify', 'app')).toMatch(/^\?\?5\?+ +\/opt\/app\/lib\/new$/m)
  })
})
