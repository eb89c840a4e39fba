import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openWorkspace, staleWorkspaces } from '../../src/build/workspace.ts'
import { cut } from '../../src/flow/cut.ts'
import type { CutOptions } from '../../src/flow/cut-state.ts'
import { startServing } from '../../src/flow/rehearsal-server.ts'
import { connectControl } from '../../src/gate/control/client.ts'
import { controlSocket } from '../../src/gate/control/protocol.ts'
import { parseReleaseRecord } from '../../src/payload/release-record.ts'
import { writeIdentity } from '../../src/prefix/identity.ts'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { takeLock } from '../../src/sys/lock.ts'
import { addRemote, type TestRepository } from '../support/git-repository.ts'
import { pingRepository } from '../support/ping-app.ts'
import { type RecordedTools, recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

async function cutIn(
  repository: TestRepository,
  version: string | undefined,
  options: Partial<CutOptions> & { readonly tools?: RecordedTools } = {},
): Promise<RecordedTools> {
  const { tools = recordedTools(), ...others } = options
  const { folder: cwd, environment } = repository
  await cut({ cwd, environment, version, snapshot: false, dryRun: false, ...others }, tools)
  return tools
}

const recordOf = (repository: TestRepository, version: string) =>
  parseReleaseRecord(fs.readFileSync(path.join(repository.folder, 'dist', version, 'release.json')))
const leftovers = (repository: TestRepository) => staleWorkspaces(path.join(repository.folder, '.git'))
const summaryOf = (tools: RecordedTools, step: string) =>
  tools.events.flatMap(event => (event.kind === 'step-done' && event.step === step ? [event.summary] : []))[0]

/** Everything of a repository that a failed cut may not change, objects that nothing points at left out. */
function expectUntouched(repository: TestRepository, before: string) {
  expect(repository.state()).toBe(before)
  expect(fs.existsSync(path.join(repository.folder, '.git/cutover/pending.json'))).toBe(false)
  expect(leftovers(repository)).toEqual([])
  const dist = path.join(repository.folder, 'dist')
  expect(fs.existsSync(dist) ? fs.readdirSync(dist) : []).toEqual([])
}

describe('release cut', () => {
  it('cuts a first release: commit, tag, artifacts, record, and nothing else', async () => {
    const repository = pingRepository()
    const from = repository.git('rev-parse', 'HEAD').trim()
    await cutIn(repository, '1.0.0')
    expect(repository.git('log', '--format=%s', '-2')).toBe('Release 1.0.0\nfeat: answer\n')
    expect(repository.git('cat-file', '-t', 'v1.0.0')).toBe('tag\n')
    expect(repository.git('rev-parse', 'v1.0.0^{commit}')).toBe(repository.git('rev-parse', 'main'))
    expect(repository.git('status', '--porcelain')).toBe('')
    const record = recordOf(repository, '1.0.0')
    expect(record).toMatchObject({ version: '1.0.0', commit: from, tag: 'v1.0.0', sourceDateEpoch: 1_790_000_060 })
    expect(record.tree).toBe(repository.git('rev-parse', 'v1.0.0^{tree}').trim())
    expect(record.previous).toBeUndefined()
    expect(record.components[0]?.artifacts.map(artifact => `${artifact.kind} ${artifact.name}`)).toEqual([
      'source ping-1.0.0-source.tar.gz',
      'source ping-1.0.0-source.zip',
      'tarball ping-1.0.0.tar.zst',
      'manifest ping-1.0.0.manifest.json.zst',
      'deb ping_1.0.0-1_all.deb',
      'oci ping-1.0.0.oci',
      'sbom ping-1.0.0.cdx.json',
      'provenance ping-1.0.0.provenance.json',
    ])
    execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], {
      cwd: path.join(repository.folder, 'dist/1.0.0'),
    })
    expect(fs.readdirSync(path.join(repository.folder, 'dist'))).toEqual(['1.0.0'])
    expect(leftovers(repository)).toEqual([])
    // Compressed once: the next cut finds it.
    const cache = path.join(repository.environment['HOME']!, '.cache/cutover/segments')
    expect(fs.readdirSync(cache)).toHaveLength(1)
    const files = execFileSync(
      'tar',
      ['--zstd', '-xOf', 'ping-1.0.0.tar.zst', './opt/ping/built', './opt/ping/package.json'],
      {
        cwd: path.join(repository.folder, 'dist/1.0.0'),
        encoding: 'utf8',
      },
    )
    expect(files).toBe('1.0.0 UTC 1790000060\n{ "name": "ping", "type": "module", "version": "1.0.0" }\n')
  })

  it('rehearses the upgrade from the release before and the way back', async () => {
    const repository = pingRepository()
    addRemote(repository)
    const first = await cutIn(repository, '1.0.0')
    expect(summaryOf(first, 'rehearse')).toBe('install 1.0.0, health of 1.0.0')
    repository.commit('fix: say it louder', { NOTES: 'x' })
    const second = await cutIn(repository, '1.1.0')
    expect(summaryOf(second, 'rehearse')).toBe(
      'install 1.0.0, health of 1.0.0, install 1.1.0, health of 1.1.0, roll back to 1.0.0, health of 1.0.0',
    )
    expect(recordOf(repository, '1.1.0')).toMatchObject({
      previous: '1.0.0',
      changes: expect.stringMatching(/^### Fixes\n\n- say it louder \([0-9a-f]{7}\)\n$/),
    })
    expect(fs.readFileSync(path.join(repository.folder, 'CHANGELOG.md'), 'utf8')).toMatch(
      /## \[1\.1\.0\].*\n[\s\S]*## \[1\.0\.0\]/,
    )
    expect(repository.git('tag', '--format=%(contents)', '--list', 'v1.1.0')).toContain('- say it louder')
  })

  it('tags the commit itself when the release changes no file', async () => {
    const repository = pingRepository({ files: { 'package.json': '{ "type": "module", "version": "1.0.0" }\n' } })
    const recipe = path.join(repository.folder, 'release.yaml')
    fs.writeFileSync(recipe, fs.readFileSync(recipe, 'utf8').replace('source:\n', 'source:\n  changelog: false\n'))
    const head = repository.commit('chore: no changelog')
    await cutIn(repository, '1.0.0')
    expect(repository.git('rev-parse', 'HEAD', 'v1.0.0^{commit}')).toBe(`${head}\n${head}\n`)
  })

  it('cuts a snapshot of any branch without commit and tag', async () => {
    const repository = pingRepository()
    repository.git('tag', 'v1.1.4')
    repository.git('switch', '--quiet', '--create', 'topic')
    const commit = repository.commit('feat: try', { NOTES: 'x' })
    const before = repository.state()
    await cutIn(repository, undefined, { snapshot: true })
    const version = `1.1.5-git20260921.${commit.slice(0, 7)}`
    expect(recordOf(repository, version)).toMatchObject({ version, commit, previous: '1.1.4' })
    expect(recordOf(repository, version).tag).toBeUndefined()
    expect(fs.readdirSync(path.join(repository.folder, 'dist', version))).toContain(
      `ping_${version.replace('-', '~')}-1_all.deb`,
    )
    expect(repository.state()).toBe(before)
  })

  it('shows the plan of a dry run and writes nothing, not even a lock', async () => {
    const repository = pingRepository()
    const before = repository.state()
    const tools = await cutIn(repository, '1.0.0', { dryRun: true })
    expect(tools.result()).toMatchObject({ version: '1.0.0', tag: 'v1.0.0' })
    expect(fs.existsSync(path.join(repository.folder, '.git/cutover'))).toBe(false)
    expectUntouched(repository, before)
  })

  it('takes a recipe from elsewhere and puts releases elsewhere', async () => {
    const repository = pingRepository()
    const elsewhere = tempFolder()
    fs.renameSync(path.join(repository.folder, 'release.yaml'), path.join(elsewhere, 'recipe.yaml'))
    repository.commit('chore: the recipe lives elsewhere')
    const output = path.join(elsewhere, 'out')
    await cutIn(repository, '1.0.0', { recipe: elsewhere, output })
    expect(fs.readdirSync(output)).toEqual(['1.0.0'])
    expect(repository.git('tag')).toBe('v1.0.0\n')
  })
})

describe('a cut that was killed', () => {
  it('is finished by the next one when its refs had moved', async () => {
    const repository = pingRepository()
    const from = repository.git('rev-parse', 'HEAD').trim()
    await cutIn(repository, '1.0.0')
    const to = repository.git('rev-parse', 'HEAD').trim()
    const tagObject = repository.git('rev-parse', 'v1.0.0').trim()
    const pending = { schema: 1, version: '1.0.0', branch: 'main', from, to, tag: 'v1.0.0', tagObject }
    const file = path.join(repository.folder, '.git/cutover/pending.json')
    fs.writeFileSync(file, JSON.stringify(pending))
    repository.git('read-tree', from)
    repository.git('checkout-index', '--force', '--all')
    const tools = await cutIn(repository, '1.0.0')
    expect(tools.result()).toMatchObject({ version: '1.0.0', tag: 'v1.0.0' })
    expect(repository.git('status', '--porcelain')).toBe('')
    expect(fs.existsSync(file)).toBe(false)
    await expect(cutIn(repository, '1.0.0')).rejects.toMatchObject({ code: 'TAG_EXISTS' })
  })

  it('leaves folders and processes that the next one clears away', async () => {
    const repository = pingRepository()
    const workspace = openWorkspace(path.join(repository.folder, '.git'), undefined)
    const paths = prefixPaths(workspace.prefix)
    writeIdentity(paths, {
      schema: 1,
      layout: 1,
      application: 'ping',
      repository: 'file:///nowhere',
      environment: 'production',
      variables: {},
    })
    const server = await startServing(paths, repository.environment, systemClock)
    await cutIn(repository, '1.0.0')
    expect(fs.existsSync(workspace.root)).toBe(false)
    expect(await connectControl(path.join(workspace.prefix, controlSocket))).toBeUndefined()
    await server.end()
  })
})

describe('a cut that fails', () => {
  it.each([
    ['tests', 'BUILD_COMMAND', { from: '[node, --check, server.js]', to: '"echo tested; exit 7"' }],
    ['build', 'BUILD_COMMAND', { from: 'mkdir out', to: 'false' }],
    ['payload', 'BUILD_ENTRY_MISSING', { from: 'from: out', to: 'from: nowhere' }],
    ['envelopes', 'DEB_FIELD', { from: 'section: web', to: 'conffiles: [etc/none]' }],
    ['rehearse', 'REHEARSAL_FAILED', { from: 'contains: "version', to: 'contains: "no such answer' }],
  ])('in %s leaves the repository as it was', async (step, code, { from, to }) => {
    const repository = pingRepository()
    const recipe = path.join(repository.folder, 'release.yaml')
    const text = fs.readFileSync(recipe, 'utf8')
    fs.writeFileSync(recipe, text.replace(from, to).replace('deadline: 5s', 'deadline: 200ms'))
    repository.commit('break it')
    const before = repository.state()
    const tools = recordedTools()
    await expect(cutIn(repository, '1.0.0', { tools })).rejects.toMatchObject({ code })
    expect(tools.events.find(event => event.kind === 'step-failed')).toMatchObject({ step })
    expectUntouched(repository, before)
    fs.writeFileSync(recipe, text)
    repository.commit('mend it')
    await cutIn(repository, '1.0.0')
    expect(repository.git('tag')).toBe('v1.0.0\n')
  })

  it('leaves no tag for a Python dependency that changed without a new version: no index would take it', async () => {
    const repository = pingRepository()
    const recipe = path.join(repository.folder, 'release.yaml')
    const text = fs.readFileSync(recipe, 'utf8').replace('artifacts:\n', 'artifacts:\n  python: [vendor]\n')
    const build = 'mkdir vendor; echo $SOURCE_DATE_EPOCH > vendor/dependency-1.0-py3-none-any.whl; mkdir out'
    fs.writeFileSync(recipe, text.replace('mkdir out', build))
    repository.commit('feat: depend')
    await cutIn(repository, '1.0.0')
    repository.commit('fix: something else', { NOTES: 'x' })
    await expect(cutIn(repository, '1.1.0')).rejects.toMatchObject({
      code: 'BUILD_PYTHON',
      message: expect.stringMatching(/dependency-1\.0-py3-none-any\.whl.*1\.0\.0/),
    })
    expect(repository.git('tag')).toBe('v1.0.0\n')
  })

  it('shows what the services said', async () => {
    const repository = pingRepository({
      files: { 'server.js': "console.log('cannot start: no teapot')\nprocess.exit(3)\n" },
    })
    await expect(cutIn(repository, '1.0.0')).rejects.toMatchObject({
      code: 'REHEARSAL_FAILED',
      message: expect.stringContaining('cannot start: no teapot'),
    })
  })

  it('refuses what is not committed before it does anything', async () => {
    const repository = pingRepository()
    fs.writeFileSync(path.join(repository.folder, 'new.txt'), '')
    await expect(cutIn(repository, '1.0.0')).rejects.toMatchObject({ code: 'SOURCE_DIRTY' })
  })

  it('does not tag when somebody commits meanwhile', async () => {
    const repository = pingRepository()
    const tools = recordedTools()
    const meanwhile: RecordedTools = {
      ...tools,
      emit: event => {
        if (event.kind === 'step-started' && event.step === 'rehearse') repository.commit('meanwhile', { NOTES: 'y' })
        tools.emit(event)
      },
    }
    await expect(cutIn(repository, '1.0.0', { tools: meanwhile })).rejects.toMatchObject({ code: 'SOURCE_MOVED' })
    expect(repository.git('tag')).toBe('')
    expect(fs.readdirSync(path.join(repository.folder, 'dist'))).toEqual([])
  })

  it.each(['tests', 'build', 'payload', 'rehearse', 'complete'])('stops at a signal in %s', async step => {
    const repository = pingRepository()
    const before = repository.state()
    const controller = new AbortController()
    const tools = recordedTools({ signal: controller.signal })
    const stopped: RecordedTools = {
      ...tools,
      emit: event => {
        if (event.kind === 'step-started' && event.step === step) controller.abort(new Error('ended by SIGINT'))
        tools.emit(event)
      },
    }
    await expect(cutIn(repository, '1.0.0', { tools: stopped })).rejects.toThrow('ended by SIGINT')
    expectUntouched(repository, before)
  })

  it('lets only one cut of a repository be under way', async () => {
    const repository = pingRepository()
    using _lock = await takeLock(path.join(repository.folder, '.git/cutover/lock'), { command: 'release cut' })
    await expect(cutIn(repository, '1.0.0')).rejects.toMatchObject({ code: 'LOCKED', exitCode: 5 })
  })
})
