import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { takeLock } from '../../src/sys/lock.ts'
import { runCutover } from '../support/cutover-cli.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { type CommandEnd, makeOperator } from '../support/operator.ts'
import { pingRepository } from '../support/ping-app.ts'
import { repositoryRoot } from '../support/sources.ts'
import { cutToy, servedFiles, servedNode } from '../support/toy-release.ts'

/*
 * What people get wrong, typed into real commands: each is told by a code and a hint that helps, the exit code is that of STYLE.md, and no stack
 * is ever shown. What is wrong in many ways is tested where it is parsed; here it is about what a person meets.
 */

const operator = makeOperator()
let repository: MadeRepository

beforeAll(async () => {
  repository = await makeRepository(operator.folder, { applications: ['toy', 'other'] })
  for (const version of ['1.0.0', '1.1.0']) {
    await cutToy(repository.distFolder, { version, node: servedNode(), files: servedFiles })
    await repository.upload(version)
  }
  await operator.succeed('.', 'cutover', 'init', 'prefix', ...from)
  await operator.succeed('prefix', 'bin/install', '--version', '1.0.0')
})

const from = ['--repository', 'repository', '--application', 'toy'] as const
const keys = ['--repository', '../repository', '--keys', '../keys'] as const

/** What a person must be told. */
interface Told {
  readonly code: string
  readonly exitCode: number
  readonly message?: RegExp
  readonly hint?: RegExp
}

/** Check that a command said what is wrong as a person reads it, and nothing that only we understand. */
function expectTold(ended: CommandEnd, told: Told): void {
  const [, code, message, hint] = /^error (\w+): (.*)\nhint: (.*)\n$/ms.exec(ended.stderr) ?? []
  expect({ code, exitCode: ended.exitCode, stdout: ended.stdout }).toEqual({
    code: told.code,
    exitCode: told.exitCode,
    stdout: '',
  })
  expect(message).toMatch(told.message ?? /./)
  expect(hint).toMatch(told.hint ?? /./)
  expect(ended.stderr).not.toMatch(/^ +at |unexpected|undefined|\bnode:/m)
}

const usage = { code: 'USAGE', exitCode: 2 } as const

describe('the command line', () => {
  it.each<[string[], Told]>([
    [['release', 'cutt'], { ...usage, message: /'cutt'/, hint: /Did you mean cut\?/ }],
    [['release', 'help', 'cutt'], { ...usage, message: /'cutt'/, hint: /Did you mean cut\?/ }],
    [['release', 'cut', '--dryrun'], { ...usage, message: /'--dryrun'/, hint: /--dry-run/ }],
    [['release', 'verify'], { ...usage, message: /'version'/, hint: /release verify --help/ }],
    [['cutover', 'instal'], { ...usage, hint: /Did you mean install\?/ }],
    [['cutover', 'init', 'x'], { ...usage, message: /--repository/, hint: /cutover init --help/ }],
    [['cutover', 'gate', 'bakoff'], { ...usage, hint: /Did you mean backoff\?/ }],
    [['cutover', 'gate', 'hold', '--for', 'long'], { ...usage, hint: /25s/ }],
    [['cutover', 'history', '--limit', 'all'], usage],
    [['cutover', 'install', '--wait-lock', 'long'], { ...usage, hint: /30s/ }],
  ])('%j', async (argv, told) => {
    expectTold(await operator.run('.', ...argv), told)
  })

  it('bin/gate without a word what to do lists what there is', async () => {
    const { exitCode, stderr } = await operator.run('prefix', 'bin/gate')
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^Usage: cutover gate/)
    expect(stderr).toContain('  backoff ')
  })
})

describe('release init', () => {
  it.each<[string, string[], Told]>([
    ['a folder with other things', ['dist'], { ...usage, message: /1\.0\.0/ }],
    ['a file', ['prefix/prefix.json'], { ...usage, message: /not a folder/ }],
    ['keys inside', ['new', '--keys', 'new/keys'], { code: 'KEY_PLACE', exitCode: 2, hint: /outside/ }],
    ['an application that is no name', ['new', '--application', 'My App'], { ...usage, hint: /--application/ }],
    ['another name for a repository', ['repository', '--name', 'else'], { ...usage, message: /vendor/ }],
    ['a channel that is no name', ['repository', '--channels', 'edge,../stable'], usage],
    ['a role that there is not', ['repository', '--expiry', 'everybody=3'], usage],
    ['days that are none', ['repository', '--apt-valid', '-1'], usage],
    ['a form that there is not', ['repository', '--apt-compression', 'gz,rar'], usage],
    ['other keys', ['repository', '--keys', 'nowhere'], { code: 'KEY_MISSING', exitCode: 1, message: /nowhere/ }],
  ])('refuses %s', async (_, args, told) => {
    expectTold(await operator.run('.', 'release', 'init', '--keys', 'keys', ...args), told)
  })
})

describe('release cut', () => {
  it('tells all problems of a recipe with their places', async () => {
    const clone = pingRepository()
    const file = path.join(clone.folder, 'release.yaml')
    const text = fs.readFileSync(file, 'utf8')
    const wrong = text.replace('name: ping', 'name: Ping App').replace('licence:', 'license:').replace('5s', 'soon')
    fs.writeFileSync(file, wrong)
    clone.commit('break it')
    const ended = await operator.run(path.relative(operator.folder, clone.folder), 'release', 'cut', '1.0.0')
    expectTold(ended, {
      code: 'RECIPE_INVALID',
      exitCode: 2,
      message: /license.*did you mean licence\?/,
      hint: /REFERENCE/,
    })
    for (const place of ['2:7: name', '4:1: license', '25:15: node.health.deadline'])
      expect(ended.stderr).toContain(`${file}:${place}: `)
  })

  it.each<[string, string[], Told]>([
    ['no version', [], { code: 'VERSION_MISSING', exitCode: 2, hint: /release cut 1\.2\.3/ }],
    ['half a version', ['1.1'], { code: 'VERSION_INVALID', exitCode: 2, message: /"1\.1"/ }],
    ['a tag for a version', ['v2.0.0'], { code: 'VERSION_INVALID', exitCode: 2, hint: /did you mean 2\.0\.0\?/ }],
    ['a version that is there', ['1.0.0'], { code: 'TAG_EXISTS', exitCode: 2, message: /v1\.0\.0/ }],
    ['a version that is not higher', ['0.9.0'], { code: 'VERSION_NOT_HIGHER', exitCode: 2, hint: /1\.0\.0/ }],
    ['a recipe that is not there', ['2.0.0', '--recipe', 'x'], { code: 'RECIPE_NOT_FOUND', exitCode: 2 }],
  ])('refuses %s', async (_, args, told) => {
    const clone = pingRepository()
    clone.git('tag', 'v1.0.0')
    expectTold(await operator.run(path.relative(operator.folder, clone.folder), 'release', 'cut', ...args), told)
  })

  it.each<[string, (clone: ReturnType<typeof pingRepository>) => unknown, Told]>([
    [
      'what no commit has',
      clone => fs.writeFileSync(path.join(clone.folder, 'new'), ''),
      { code: 'SOURCE_DIRTY', exitCode: 2, message: /new/ },
    ],
    [
      'another branch',
      clone => clone.git('switch', '--quiet', '--create', 'topic'),
      { code: 'SOURCE_BRANCH', exitCode: 2, hint: /git switch main/ },
    ],
    [
      'nobody to be its author',
      clone => clone.git('config', '--unset', 'user.name'),
      { code: 'SOURCE_IDENTITY', exitCode: 2, hint: /git config user\.name/ },
    ],
  ])('refuses %s', async (_, spoil, told) => {
    const clone = pingRepository()
    spoil(clone)
    const nobody = makeOperator({ ...clone.environment, GIT_CONFIG_GLOBAL: '/dev/null' })
    expectTold(await nobody.run(path.relative(nobody.folder, clone.folder), 'release', 'cut', '1.0.0'), told)
  })

  it('refuses a folder that is no clone', async () => {
    const told = { code: 'SOURCE_NOT_GIT', exitCode: 2 }
    expectTold(await operator.run('.', 'release', 'cut', '1.0.0'), told)
  })
})

describe('what is published', () => {
  it.each<[string, string[], Told]>([
    [
      'upload of nothing',
      ['upload', ...keys, '--dist', 'none'],
      { code: 'RELEASE_NOT_CUT', exitCode: 1, message: /none/ },
    ],
    [
      'upload of a version that was not cut',
      ['upload', '9.9.9', ...keys, '--dist', '.'],
      { code: 'RELEASE_NOT_CUT', exitCode: 1, message: /1\.0\.0, 1\.1\.0/, hint: /release cut 9\.9\.9/ },
    ],
    [
      'upload without keys',
      ['upload', '1.0.0', '--dist', '.', '--repository', '../repository', '--keys', 'none'],
      { code: 'KEY_MISSING', exitCode: 1 },
    ],
    [
      'upload without a repository',
      ['upload', '1.0.0', '--dist', '.', '--repository', 'none'],
      { code: 'REPOSITORY_UNKNOWN', exitCode: 1, hint: /release init/ },
    ],
    ['upload to nowhere in particular', ['upload', '1.0.0', '--dist', '.'], { ...usage, hint: /--repository/ }],
    [
      'a list of an application that is not there',
      ['list', 'toys', ...keys],
      { code: 'RELEASE_UNKNOWN', exitCode: 1, hint: /other, toy/ },
    ],
    [
      'a check of what was never published',
      ['verify', '1.0.0', ...keys, '--application', 'other'],
      { code: 'RELEASE_UNKNOWN', exitCode: 1, hint: /nothing of it is published/ },
    ],
    [
      'a check against half a fingerprint',
      ['verify', '1.0.0', ...keys, '--application', 'toy', '--fingerprint', 'abc'],
      { ...usage, hint: /64/ },
    ],
    ['serving what is no repository', ['serve', '.'], { code: 'REPOSITORY_UNKNOWN', exitCode: 1 }],
    [
      'serving at half an address',
      ['serve', '../repository', '--listen', '8080'],
      { code: 'GATE_ADDRESS_INVALID', exitCode: 2, hint: /HOST:PORT/ },
    ],
  ])('%s', async (_, args, told) => {
    const ended = await operator.run('dist', 'release', ...args)
    expectTold(ended, told)
  })

  it('an upload of a record that was damaged names the file', async () => {
    const folder = operator.at('damaged', '1.0.0')
    fs.cpSync(path.join(repository.distFolder, '1.0.0'), folder, { recursive: true })
    fs.writeFileSync(path.join(folder, 'release.json'), '{')
    const ended = await operator.run('damaged', 'release', 'upload', '1.0.0', '--dist', '.', ...keys)
    expectTold(ended, { code: 'RELEASE_DAMAGED', exitCode: 1, message: /damaged\/1\.0\.0\/release\.json/ })
  })

  it('a port that somebody has', async () => {
    const first = await operator.start('.', 'release', 'serve', 'repository', '--listen', '127.0.0.1:0')
    const ended = await operator.run('.', 'release', 'serve', 'repository', '--listen', first.address)
    expectTold(ended, { code: 'LISTEN_FAILED', exitCode: 1, hint: /--listen/ })
    expect(await first.stop()).toBe(0)
  })
})

describe('cutover init', () => {
  it.each<[string, string[], Told]>([
    [
      'a protocol that nobody speaks',
      ['--repository', 'htp://releases.example'],
      { ...usage, message: /htp:/, hint: /https:/ },
    ],
    [
      'a server that is not there',
      ['--repository', 'http://127.0.0.1:1'],
      { code: 'HTTP_FAILED', exitCode: 1, message: /^http:\/\/127\.0\.0\.1:1\/\S+: connect ECONNREFUSED$/m },
    ],
    [
      'a folder that holds no repository',
      ['--repository', 'dist'],
      { code: 'REPOSITORY_UNKNOWN', exitCode: 1, message: /dist/ },
    ],
    [
      'an application that the repository has not',
      ['--application', 'toys'],
      { code: 'RELEASE_UNKNOWN', exitCode: 1, message: /toys/ },
    ],
    ['an application that is no name', ['--application', '../toy'], { ...usage, message: /"\.\.\/toy"/ }],
    ['half a fingerprint', ['--root-fingerprint', 'abc'], { ...usage, hint: /64/ }],
    ['another fingerprint', ['--root-fingerprint', 'ab'.repeat(32)], { code: 'TRUST_PIN', exitCode: 3 }],
    ['a mode that there is not', ['--mode', 'prxy'], { ...usage, message: /proxy, handover/ }],
    ['a setting without a value', ['--set', 'PORT'], { ...usage, message: /NAME=VALUE/ }],
  ])('refuses %s, and the folder is as good as new', async (_, args, told) => {
    expectTold(await operator.run('.', 'cutover', 'init', 'mistaken', ...from, ...args), told)
    expect(await operator.succeed('.', 'cutover', 'init', 'mistaken', ...from)).toMatchObject({ application: 'toy' })
    fs.rmSync(operator.at('mistaken'), { recursive: true })
  })

  it.each<[string, string[], Told]>([
    ['a folder with other things in it', ['dist', ...from], { ...usage, message: /1\.0\.0/ }],
    ['the folder that one happens to be in', ['', ...from], { ...usage, message: /dist/ }],
    ['a file', ['prefix/prefix.json', ...from], { ...usage, message: /not a folder/ }],
    [
      'the prefix of another application',
      ['prefix', '--repository', 'repository', '--application', 'other'],
      { code: 'PREFIX_MISMATCH', exitCode: 2, message: /toy.*other/ },
    ],
    [
      'another address for a prefix',
      ['prefix', '--repository', 'http://127.0.0.1:1', '--application', 'toy'],
      { code: 'PREFIX_MISMATCH', exitCode: 2, hint: /prefix\.json/ },
    ],
  ])('refuses %s', async (_, args, told) => {
    expectTold(await operator.run('.', 'cutover', 'init', ...args), told)
  })

  it('a second time changes nothing and says so', async () => {
    const { exitCode, stdout } = await operator.run('.', 'cutover', 'init', 'prefix', ...from)
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^nothing to do$/m)
  })
})

describe('the commands of a prefix', () => {
  it.each<[string, string[], Told]>([
    [
      'a version that there is not',
      ['install', '--version', '1.0.9'],
      { code: 'RELEASE_UNKNOWN', exitCode: 1, hint: /1\.0\.0, 1\.1\.0/ },
    ],
    ['what is no version', ['install', '--version', 'latest'], { code: 'VERSION_INVALID', exitCode: 2 }],
    ['a rollback to nowhere', ['rollback'], { code: 'ROLLBACK_NONE', exitCode: 1, hint: /--version/ }],
    [
      'a check of what is not there',
      ['verify', '--version', '1.1.0'],
      { code: 'VERIFY_NONE', exitCode: 1, hint: /1\.0\.0/ },
    ],
    ['a gate that nobody keeps', ['gate', 'status'], { code: 'SERVE_NOT_RUNNING', exitCode: 1, hint: /cutover serve/ }],
  ])('%s', async (_, [name, ...args], told) => {
    expectTold(await operator.run('prefix', `bin/${name}`, ...args), told)
  })

  it.each(['install', 'rollback', 'recover', 'status', 'verify', 'history', 'serve'])(
    '%s outside of a prefix',
    async name => {
      expectTold(await operator.run('dist', 'cutover', name), {
        code: 'PREFIX_UNKNOWN',
        exitCode: 2,
        hint: /cutover init/,
      })
    },
  )

  it('an environment that the release does not know, before anything is fetched', async () => {
    await operator.succeed('.', 'cutover', 'init', 'lost', ...from, '--environment', 'prod')
    const ended = await operator.run('lost', 'bin/install', '--version', '1.0.0')
    expectTold(ended, { code: 'ENVIRONMENT_UNKNOWN', exitCode: 2, message: /production/, hint: /--environment/ })
    expect(ended.stderr).not.toContain('fetch')
  })

  it('a prefix that another command works on', async () => {
    using _lock = await takeLock(operator.at('prefix/run/lock'), { command: 'install' })
    const held = { code: 'LOCKED', exitCode: 5, message: new RegExp(`install \\(by \\S+, pid ${process.pid} `) }
    for (const name of ['install', 'rollback', 'recover']) {
      const which = name === 'install' ? ['--version', '1.1.0'] : []
      expectTold(await operator.run('prefix', `bin/${name}`, ...which, '--wait-lock', '0s'), held)
    }
  })

  it('bin/status tells a change that was interrupted from one that is under way', async () => {
    await operator.succeed('.', 'cutover', 'init', 'torn', ...from)
    await runCutover(['install', '--prefix', operator.at('torn'), '--version', '1.0.0'], { killAtSync: 3 })
    const interrupted = await operator.run('torn', 'bin/status')
    expect(interrupted.stdout).toMatch(/install of 1\.0\.0 was interrupted: run cutover recover$/m)
    {
      using _lock = await takeLock(operator.at('torn/run/lock'), { command: 'recover' })
      const underWay = await operator.run('torn', 'bin/status')
      expect(underWay.stdout).toMatch(new RegExp(`install of 1\\.0\\.0 is under way \\(pid ${process.pid}\\)$`, 'm'))
    }
    await operator.succeed('torn', 'bin/recover')
    expect(await operator.succeed('torn', 'bin/status')).not.toHaveProperty('unfinished')
  })

  it('bin/install says why it does not take the newest', async () => {
    await operator.succeed('.', 'cutover', 'init', 'back', ...from)
    for (const version of ['1.0.0', '1.1.0']) await operator.succeed('back', 'bin/install', '--version', version)
    await operator.succeed('back', 'bin/rollback')
    const { stdout, stderr } = await operator.run('back', 'bin/install')
    expect(stdout).toBe('toy 1.0.0 is active already: nothing to do\n')
    expect(stderr).toMatch(/^1\.1\.0 .*--version/m)
  })

  it('a prefix that is served already, and an address that somebody has', async () => {
    const serving = await operator.start('.', 'cutover', 'serve', 'prefix')
    expectTold(await operator.run('prefix', 'bin/serve'), { code: 'SERVE_BUSY', exitCode: 5, hint: /gate status/ })
    await operator.succeed('.', 'cutover', 'init', 'second', ...from)
    await operator.succeed('second', 'bin/install', '--version', '1.0.0')
    const ended = await operator.run('second', 'bin/serve', '--listen', serving.address)
    expectTold(ended, { code: 'GATE_ADDRESS_IN_USE', exitCode: 1, message: new RegExp(serving.address) })
    expect(await serving.stop()).toBe(0)
  })
})

describe('where a command is run', () => {
  const cutover = path.join(repositoryRoot, 'src/bin/cutover.ts')

  it.each([[[]], [['--json']]])(
    'output that cannot be written stops nothing that was begun, and is told (%j)',
    async more => {
      await operator.succeed('.', 'cutover', 'init', 'unheard', ...from)
      const full = fs.openSync('/dev/full', 'w')
      const install = ['install', '--prefix', operator.at('unheard'), '--version', '1.0.0', ...more]
      const { status, stderr } = spawnSync(process.execPath, [cutover, ...install], { stdio: ['ignore', full, 'pipe'] })
      fs.closeSync(full)
      expect(String(stderr)).toMatch(/^error FILE_NO_SPACE: .*ENOSPC.*\nhint: .*\n$/m)
      expect(String(stderr)).not.toMatch(/^ +at /m)
      expect(status).toBe(1)
      expect(await operator.succeed('unheard', 'bin/status')).toMatchObject({ active: '1.0.0' })
      fs.rmSync(operator.at('unheard'), { recursive: true })
    },
  )

  it('a folder that was removed meanwhile', () => {
    const script = 'mkdir gone && cd gone && rmdir ../gone && "$0" "$1" status'
    const ended = spawnSync('/bin/sh', ['-c', script, process.execPath, cutover], { cwd: operator.folder })
    expect(String(ended.stderr)).toMatch(/^error PREFIX_UNKNOWN: .*gone is not a prefix/)
    expect(ended.status).toBe(2)
  })
})

describe('--json', () => {
  it.each([
    ['.', 'release', 'list', '--repository', 'repository', '--keys', 'keys'],
    ['.', 'release', 'list', '--repository', 'nowhere'],
    ['.', 'release', 'verify', '7.0.0', '--repository', 'repository', '--keys', 'keys', '--application', 'toy'],
    ['.', 'release', 'upload', '1.0.0'],
    ['.', 'release', 'cut'],
    ['.', 'release', 'frob'],
    ['.', 'release', 'init'],
    ['.', 'cutover', 'gate', 'frob'],
    ['prefix', 'bin/install', '--version', '1.0.0'],
    ['prefix', 'bin/install', '--version', '7.0.0'],
    ['prefix', 'bin/rollback'],
    ['prefix', 'bin/recover'],
    ['prefix', 'bin/status'],
    ['prefix', 'bin/verify'],
    ['prefix', 'bin/history'],
    ['prefix', 'bin/gate', 'status'],
    ['dist', 'cutover', 'serve'],
  ])('in %s: %s %s %s', async (directory, ...argv) => {
    const ended = await operator.run(directory!, ...argv, '--json')
    expect(ended.stderr).toBe('')
    expect(ended.events.at(-1)?.kind).toBe(ended.exitCode === 0 ? 'run-done' : 'run-failed')
  })
})
