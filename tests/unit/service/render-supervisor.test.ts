import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseProcessInfo, parseSupervisorConfiguration } from '../../../src/service/parse-supervisor.ts'
import { renderProgram, renderProgramScript } from '../../../src/service/render-supervisor.ts'
import { serviceSpec } from '../../support/services.ts'
import { tempFolder } from '../../support/temp.ts'

const places = { program: 'cutover-notes-web', scriptFile: '/var/notes/run/web.sh', logFile: '/var/log/100%.log' }

describe('renderProgram', () => {
  it('says how it runs, and nothing of its environment', () => {
    const text = renderProgram(serviceSpec({ environment: { TOKEN: 'very secret' }, stopTimeoutMs: 1500 }), places)
    expect(text).not.toContain('very secret')
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        '[program:cutover-notes-web]',
        "command=/usr/bin/env -i /bin/sh '/var/notes/run/web.sh'",
        'autostart=false',
        'autorestart=true',
        'stopsignal=TERM',
        'stopwaitsecs=2',
        'stdout_logfile=/var/log/100%%.log',
      ]),
    )
  })

  it.each(['/var/a\n[program:evil]', '/var/a ;b', '/var/a #b'])('refuses the path %j', logFile => {
    expect(() => renderProgram(serviceSpec(), { ...places, logFile })).toThrow(
      expect.objectContaining({ code: 'SERVICE_DRIVER_UNSUITABLE' }),
    )
  })
})

describe('renderProgramScript', () => {
  it('gives a shell every value and word to the letter', () => {
    const file = path.join(tempFolder(), 'script')
    const sign = fc.constantFrom(...'\'"$`\\\n\t *?!;#&|<>()~%=-a1ü€\u{1f600}\u0001\u007f')
    fc.assert(
      // Many at a time: starting a shell is what takes time.
      fc.property(fc.array(fc.string({ unit: sign }), { minLength: 100, maxLength: 100 }), words => {
        const environment = Object.fromEntries(words.map((word, index) => [`V${index}`, word]))
        const values = words.map((_word, index) => `"$V${index}"`).join(' ')
        const argv = ['/bin/sh', '-c', `printf "%s\\0" "$@" ${values}`, 'sh', ...words] as const
        fs.writeFileSync(file, renderProgramScript({ argv, environment }, { cwd: '/', socket: '' }))
        const said = execFileSync('/usr/bin/env', ['-i', '/bin/sh', file], { encoding: 'utf8' })
        expect(said.split('\0')).toEqual([...words, ...words, ''])
      }),
      { numRuns: 2, examples: [[['it\'s $A `b` \\ \n\n"', "a'b", '']]] },
    )
  })

  it('removes the socket of the life before, and refuses a NUL', () => {
    const launch = { argv: ['/bin/true'] as const, environment: {} }
    expect(renderProgramScript(launch, { cwd: '/', socket: '/run/a b' })).toMatch(/^rm -f -- '\/run\/a b'\n/)
    expect(() => renderProgramScript({ ...launch, environment: { A: '\0' } }, { cwd: '/', socket: '' })).toThrow(
      expect.objectContaining({ code: 'RECIPE_PLACEHOLDER' }),
    )
  })
})

describe('parseSupervisorConfiguration', () => {
  const file = '/etc/supervisor/supervisord.conf'

  it('finds what Debian has', () => {
    const text = `; comment
[unix_http_server]
file=/var/run/supervisor.sock   ; (the path to the socket file)
chmod=0700
[supervisorctl]
serverurl=unix:///var/run/supervisor.sock
[include]
files = /etc/supervisor/conf.d/*.conf
`
    const expected = { socket: '/var/run/supervisor.sock', programFolder: '/etc/supervisor/conf.d' }
    expect(parseSupervisorConfiguration(text, file)).toEqual(expected)
  })

  it('takes what is relative from the folder of the file', () => {
    const text = '[unix_http_server]\nfile=%(here)s/s.sock\n[include]\nfiles = *.ini programs/*.conf\n'
    const expected = { socket: '/etc/supervisor/s.sock', programFolder: '/etc/supervisor/programs' }
    expect(parseSupervisorConfiguration(text, file)).toEqual(expected)
  })

  it.each(['', '[unix_http_server]\nfile=/s\n', '[include]\nfiles=a/*.conf\n', '[x]\nfile=/s\nfiles=a/*.conf\n'])(
    'says what is missing in %j',
    text => {
      expect(() => parseSupervisorConfiguration(text, file)).toThrow(
        expect.objectContaining({ code: 'SERVICE_DRIVER_UNSUITABLE' }),
      )
    },
  )
})

it.each([
  [
    { statename: 'RUNNING', pid: '12' },
    { kind: 'running', pid: 12 },
  ],
  [{ statename: 'STARTING', pid: '0' }, { kind: 'starting' }],
  [{ statename: 'BACKOFF', pid: '0' }, { kind: 'starting' }],
  [{ statename: 'EXITED', pid: '0' }, { kind: 'starting' }],
  [{ statename: 'STOPPED', pid: '0' }, { kind: 'stopped' }],
  [
    { statename: 'FATAL', pid: '0', spawnerr: 'Exited too quickly' },
    { kind: 'ended', lastExit: 'Exited too quickly' },
  ],
  [
    { statename: 'FATAL', pid: '0', spawnerr: '', exitstatus: '3' },
    { kind: 'ended', lastExit: 'exit code 3' },
  ],
])('reads the process %j', (members, expected) => {
  expect(parseProcessInfo(members as Record<string, string>)).toEqual(expected)
})
