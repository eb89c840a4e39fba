import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { normaliseCheckout } from '../../../src/source/checkout.ts'
import { findRepository } from '../../../src/source/facts.ts'
import { gitIn } from '../../../src/source/git.ts'
import { openScratch, renderSettings } from '../../../src/source/scratch.ts'
import { type TestRepository, testRepository } from '../../support/git-repository.ts'
import { tempFolder } from '../../support/temp.ts'
import { needTool } from '../../support/tools.ts'

async function scratchOf(repository: TestRepository) {
  const { environment } = repository
  const git = gitIn(repository.folder, { environment })
  const folder = tempFolder()
  const scratch = await openScratch(git, await findRepository(git), { folder, environment })
  return { scratch, folder, git }
}

describe('a scratch repository', () => {
  it('checks a commit out as it is, whatever line ends and attributes the user has configured', async () => {
    const repository = testRepository()
    const commit = repository.commit('one', { 'a.txt': 'a\nb\n', 'bin/run': '#!/bin/sh\n' })
    fs.chmodSync(path.join(repository.folder, 'bin/run'), 0o755)
    fs.symlinkSync('a.txt', path.join(repository.folder, 'link'))
    const next = repository.commit('two')
    repository.git('config', 'core.autocrlf', 'true')
    const { scratch, folder } = await scratchOf(repository)
    const before = repository.state()
    const files = await scratch.checkout(next, path.join(folder, 'checkout'))
    expect(files).toEqual([
      { path: 'a.txt', mode: '100644' },
      { path: 'bin/run', mode: '100755' },
      { path: 'link', mode: '120000' },
    ])
    expect(fs.readFileSync(path.join(folder, 'checkout/a.txt'), 'utf8')).toBe('a\nb\n')
    expect(fs.readlinkSync(path.join(folder, 'checkout/link'))).toBe('a.txt')
    await scratch.checkout(commit, path.join(folder, 'older'))
    expect(fs.existsSync(path.join(folder, 'older/link'))).toBe(false)
    expect(repository.state()).toBe(before)
  })

  it('writes a release commit and an annotated tag without a trace in the user’s repository', async () => {
    const repository = testRepository()
    const parent = repository.commit('one', { 'package.json': '{"version":"1.0.0"}', 'bin/run': 'x' })
    fs.chmodSync(path.join(repository.folder, 'bin/run'), 0o755)
    const head = repository.commit('two')
    const before = `${repository.state()}${repository.git('count-objects', '-v')}`
    const { scratch } = await scratchOf(repository)
    const tree = await scratch.writeTree(head, [
      { path: 'bin/run', content: 'y' },
      { path: 'docs/new.md', content: 'z\n' },
    ])
    const commit = await scratch.writeCommit({ tree, parent: head, message: 'Release 1.1.0\n' })
    const tag = await scratch.writeTag({ name: 'v1.1.0', commit, message: 'notes 1.1.0\n\n# not a comment\n' })
    expect(await scratch.git.run(['cat-file', '-p', tag])).toMatch(
      new RegExp(
        `^object ${commit}\ntype commit\ntag v1.1.0\ntagger Ada Example <ada@example.org> .*\n\nnotes 1.1.0\n\n# not a comment\n$`,
      ),
    )
    expect(await scratch.git.run(['log', '--format=%H %an %s', commit])).toContain(
      `${commit} Ada Example Release 1.1.0`,
    )
    expect(await scratch.git.run(['ls-tree', '-r', tree])).toMatch(
      /100755 blob \w+\tbin\/run\n100644 blob \w+\tdocs\/new.md/,
    )
    expect(await scratch.git.run(['diff', '--name-only', head, commit])).toBe('bin/run\ndocs/new.md\n')
    expect(`${repository.state()}${repository.git('count-objects', '-v')}`).toBe(before)
    expect(parent).not.toBe(head)
  })

  it('takes the identity that a folder’s configuration includes', async () => {
    const repository = testRepository()
    const head = repository.commit('one', { a: '1' })
    const included = path.join(repository.environment['HOME']!, 'work.config')
    fs.writeFileSync(included, '[user]\n\temail = "work@example.org"\n')
    repository.git('config', '--unset', 'user.email')
    repository.git(
      'config',
      '--file',
      path.join(repository.environment['HOME']!, '.gitconfig'),
      `includeIf.gitdir:${repository.folder}/.path`,
      included,
    )
    const { scratch } = await scratchOf(repository)
    const tag = await scratch.writeTag({ name: 'v1', commit: head, message: 'm' })
    expect(await scratch.git.run(['cat-file', '-p', tag])).toContain('tagger Ada Example <work@example.org>')
  })

  it.skipIf(!needTool('ssh-keygen'))('signs commit and tag when git is configured to', async () => {
    const repository = testRepository()
    const head = repository.commit('one', { a: '1' })
    const key = path.join(repository.environment['HOME']!, 'key')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    fs.writeFileSync(`${key}.allowed`, `ada@example.org ${fs.readFileSync(`${key}.pub`, 'utf8')}`)
    const settings = {
      'gpg.format': 'ssh',
      'user.signingKey': `${key}.pub`,
      'tag.gpgSign': 'true',
      'commit.gpgSign': 'true',
      'gpg.ssh.allowedSignersFile': `${key}.allowed`,
    }
    for (const [name, value] of Object.entries(settings)) repository.git('config', name, value)
    const { scratch } = await scratchOf(repository)
    const tree = await scratch.writeTree(head, [{ path: 'a', content: '2' }])
    const commit = await scratch.writeCommit({ tree, parent: head, message: 'Release 1.0.0' })
    await scratch.writeTag({ name: 'v1.0.0', commit, message: 'notes 1.0.0' })
    await expect(scratch.git.ask(['verify-tag', 'v1.0.0'])).resolves.toBe(true)
    await expect(scratch.git.ask(['verify-commit', commit])).resolves.toBe(true)
  })

  it('works in repositories of SHA-256 and in linked worktrees', async () => {
    const repository = testRepository()
    repository.git('init', '--quiet', '--object-format=sha256', '--initial-branch=main', 'sha256')
    const inner: TestRepository = { ...repository, folder: path.join(repository.folder, 'sha256') }
    fs.writeFileSync(path.join(inner.folder, 'a'), '1')
    repository.git('-C', 'sha256', 'add', 'a')
    repository.git(
      '-C',
      'sha256',
      '-c',
      'user.name=A',
      '-c',
      'user.email=a@b.c',
      'commit',
      '--quiet',
      '--message',
      'one',
    )
    const linked = path.join(repository.folder, 'linked')
    repository.git('-C', 'sha256', 'worktree', 'add', '--quiet', linked)
    const { scratch, folder } = await scratchOf({ ...inner, folder: linked })
    const head = repository.git('-C', 'sha256', 'rev-parse', 'HEAD').trim()
    expect(await scratch.checkout(head, path.join(folder, 'checkout'))).toEqual([{ path: 'a', mode: '100644' }])
  })
})

describe('renderSettings', () => {
  it('writes what git reads back', async () => {
    const repository = testRepository()
    const file = path.join(repository.folder, 'config')
    const settings = [
      ['user.name', 'Ada "the \\ first" \t #;\n'],
      ['gpg.ssh.program', '/opt/My Tools/sign'],
      ['filter.a.b "c".clean', 'x'],
    ] as const
    fs.writeFileSync(file, renderSettings(settings))
    const output = repository.git('config', '--file', file, '--list', '--null')
    expect(
      output
        .split('\0')
        .slice(0, -1)
        .map(entry => entry.split(/\n([\s\S]*)/).slice(0, 2)),
    ).toEqual(settings)
  })
})

describe('normaliseCheckout', () => {
  it('gives files and folders the same mode and time whatever the umask was', () => {
    const folder = tempFolder()
    fs.mkdirSync(path.join(folder, 'sub'), { mode: 0o700 })
    fs.writeFileSync(path.join(folder, 'sub/a'), '', { mode: 0o600 })
    fs.writeFileSync(path.join(folder, 'sub/run'), '', { mode: 0o700 })
    fs.symlinkSync('/nowhere', path.join(folder, 'link'))
    normaliseCheckout(folder, 1_000_000_000)
    const seen = ['', 'sub', 'sub/a', 'sub/run', 'link'].map(name => {
      const stat = fs.lstatSync(path.join(folder, name))
      return `${name} ${(stat.mode & 0o777).toString(8)} ${stat.mtimeMs / 1000}`
    })
    expect(seen).toEqual([
      ' 755 1000000000',
      'sub 755 1000000000',
      'sub/a 644 1000000000',
      'sub/run 755 1000000000',
      'link 777 1000000000',
    ])
  })
})
