import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { alternativesPart, type DebAlternative } from '../../../src/envelope/deb-alternatives.ts'
import { renderScripts } from '../../../src/envelope/deb-part.ts'

const editor: DebAlternative = {
  name: 'editor',
  link: 'usr/bin/editor',
  path: 'opt/app/bin/app',
  priority: 40,
  slaves: [{ name: 'editor.1.gz', link: 'usr/share/man/man1/editor.1.gz', path: 'usr/share/man/man1/app.1.gz' }],
}

/** What a script says to update-alternatives, one argument a line. */
function run(name: 'postinst' | 'prerm', alternative: DebAlternative, ...args: string[]): string[] {
  const script = renderScripts([alternativesPart([alternative])]).get(name)!
  const spied = `spy() { printf '%s\\n' "$@"; }\n${script.replaceAll('update-alternatives', 'spy')}`
  return execFileSync('/bin/sh', ['-c', spied, 'script', ...args], { encoding: 'utf8' })
    .split('\n')
    .slice(0, -1)
}

it('registers an alternative with its followers when the package is configured', () => {
  expect(run('postinst', editor, 'configure', '')).toEqual([
    '--install',
    '/usr/bin/editor',
    'editor',
    '/opt/app/bin/app',
    '40',
    '--slave',
    '/usr/share/man/man1/editor.1.gz',
    'editor.1.gz',
    '/usr/share/man/man1/app.1.gz',
  ])
  expect(run('postinst', editor, 'triggered', '/x')).toEqual([])
})

it('takes it back on removal, but not on an upgrade', () => {
  expect(run('prerm', editor, 'remove')).toEqual(['--remove', 'editor', '/opt/app/bin/app'])
  expect(run('prerm', editor, 'upgrade', '2')).toEqual([])
})

it('hands names to the shell as they are', () => {
  const name = `x'; echo $(id) "\`id\`" \\`
  expect(run('prerm', { ...editor, name }, 'remove')[1]).toBe(name)
  expect(() => run('prerm', { ...editor, name: 'a\nb' }, 'remove')).toThrow(
    expect.objectContaining({ code: 'DEB_FIELD' }),
  )
})

it('adds nothing to a package without alternatives', () => {
  expect(alternativesPart([])).toEqual({})
})
