import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ReleaseError } from '../../src/core/error.ts'
import { type InstallRevisionOptions, installRevision } from '../../src/flow/install-revision.ts'
import { rollback } from '../../src/flow/rollback.ts'
import { upload } from '../../src/flow/upload.ts'
import { verify } from '../../src/flow/verify.ts'
import { parseReleaseRecord } from '../../src/payload/release-record.ts'
import { readIdentity, writeIdentity } from '../../src/prefix/identity.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { type PrefixPaths, prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { makePrefix } from '../../src/prefix/make.ts'
import { findIsolation } from '../../src/sys/isolation.ts'
import { startStaticServer } from '../../src/sys/static-server.ts'
import { codeOfAsync } from '../support/codes.ts'
import { runCutover } from '../support/cutover-cli.ts'
import { type TestRepository, testRepository } from '../support/git-repository.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { pingRepository } from '../support/ping-app.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { repositoryRoot } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const cutover = [process.execPath, path.join(repositoryRoot, 'src', 'bin', 'cutover.ts')] as const
const base = tempFolder()
let vendor: MadeRepository

beforeAll(async () => {
  // Whoever builds is not who tests: it must get to the repository.
  fs.chmodSync(base, 0o711)
  vendor = await makeRepository(base)
  const clone = testRepository()
  clone.commit('First')
  clone.git('tag', '--annotate', '--message', '1.0.0', 'v1.0.0')
  const { keys, folder, distFolder } = vendor
  const python = { name: 'tiny-1.0.0-py3-none-any.whl', project: 'tiny', bytes: wheel() }
  const tree = clone.git('rev-parse', 'HEAD^{tree}').trim()
  makeRelease({ distFolder, version: '1.0.0', tag: 'v1.0.0', tree, python })
  const place = { cwd: clone.folder, environment: clone.environment, repository: folder, keys }
  await upload({ ...place, distFolder, version: '1.0.0', remote: 'origin', planOnly: false }, recordedTools())
})

/** The smallest wheel that pip takes. */
function wheel(): Buffer {
  const file = path.join(base, 'tiny.whl')
  const script = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as archive:
    archive.writestr('tiny.py', 'value = 1\\n')
    archive.writestr('tiny-1.0.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0.0\\n')
    archive.writestr('tiny-1.0.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    archive.writestr('tiny-1.0.0.dist-info/RECORD', '')
`
  execFileSync('python3', ['-c', script, file])
  return fs.readFileSync(file)
}

function prefixFor(repository: string): PrefixPaths {
  const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
  const identity = { application: 'ping', repository, environment: 'production', variables: {} } as const
  makePrefix(paths, { schema: 1, layout: 1, ...identity })
  return paths
}

async function installIn(
  paths: PrefixPaths,
  source: TestRepository,
  options: Partial<InstallRevisionOptions> & { readonly revision: string },
) {
  const tools = recordedTools()
  const { folder, environment } = source
  const result = await installRevision({ prefix: paths.root, source: folder, environment, cutover, ...options }, tools)
  return { ...result, isBuilt: tools.events.some(event => event.kind === 'step-done' && event.step === 'payload') }
}

const recordOf = (paths: PrefixPaths, version: string) =>
  parseReleaseRecord(fs.readFileSync(releasePaths(paths, version).record))

/** A recipe whose build does more: its lines come before those of the application. */
function building(lines: string): TestRepository {
  const repository = pingRepository()
  const recipe = fs.readFileSync(path.join(repository.folder, 'release.yaml'), 'utf8')
  const more = `build:\n  - run: |\n${lines.replaceAll(/^/gm, '      ')}\n`
  const build = recipe.replace('build:\n', more).replace('mkdir out', 'mkdir -p out')
  repository.commit('build: more', { 'release.yaml': build })
  return repository
}

describe('install --rev', () => {
  it('builds a branch as it is, knows it the next time, and goes back', async () => {
    const source = pingRepository()
    const paths = prefixFor(vendor.url)
    writeIdentity(paths, { ...readIdentity(paths), settings: { source: source.folder } })
    const command = ['install', '--prefix', paths.root, '--rev', 'main', '--json']
    const { exitCode, stdout } = await runCutover(command)
    const ends = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect({ exitCode, end: ends.at(-1) }).toMatchObject({ exitCode: 0, end: { kind: 'run-done', changed: true } })
    const first = currentVersion(paths)!
    const commit = source.git('rev-parse', 'HEAD').trim()
    expect(recordOf(paths, first)).toMatchObject({ commit, builtHere: true })
    expect(await installIn(paths, source, { revision: commit })).toMatchObject({ changed: false, isBuilt: false })
    // Whoever signs for the others is not asked: its trust is not even set up here.
    const checking = recordedTools()
    await verify({ prefix: paths.root }, checking)
    const note = expect.objectContaining({
      kind: 'note',
      message: expect.stringContaining(`built here from ${commit}`),
    })
    expect(checking.events).toContainEqual(note)

    const next = source.commit('fix: more', { 'server.js': '// nothing\n' })
    const dry = await installIn(paths, source, { revision: 'main', dryRun: true })
    expect(dry).toMatchObject({ changed: false, isBuilt: true })
    const distFolder = path.join(paths.cache, 'source', 'dist')
    const where = { cwd: base, environment: {}, repository: vendor.folder, keys: vendor.keys, distFolder }
    const uploading = upload({ ...where, version: dry.version!, remote: 'origin', planOnly: false }, recordedTools())
    expect(await codeOfAsync(uploading)).toBe('RELEASE_LOCAL')
    const upgraded = await installIn(paths, source, { revision: 'main' })
    expect(upgraded).toMatchObject({ from: first, changed: true, isBuilt: false })
    expect(recordOf(paths, upgraded.version!)).toMatchObject({ commit: next })
    await rollback({ prefix: paths.root }, recordedTools())
    expect(currentVersion(paths)).toBe(first)
    expect(await codeOfAsync(installIn(paths, source, { revision: next }))).toBe('RELEASE_AVOIDED')
    expect(await installIn(paths, source, { revision: next, retry: true })).toMatchObject({
      changed: true,
      isBuilt: false,
    })
    expect(await codeOfAsync(installIn(paths, source, { revision: commit }))).toBe('DOWNGRADE')
  })

  it.skipIf(!needTool('pip3'))(
    'takes dependencies from the vendor repository, as whoever may do nothing else',
    async () => {
      const { network: isKept } = await findIsolation({ network: 'none' })
      const beacon = await listen()
      const source = building(`mkdir -p out/deps
python3 -m pip download --quiet --no-deps --dest out/deps tiny==1.0.0
if python3 -m pip download --quiet --no-deps --dest out/deps no-such-project; then exit 9; fi
python3 -c 'import socket; socket.create_connection(("127.0.0.1", ${beacon.port}), 2)' 2>out/deps/denied || true
id -u >out/deps/uid
env >out/deps/env`)
      const environment = { ...source.environment, SECRET_OF_THE_CALLER: 'x' }
      const server = await startStaticServer({ root: vendor.folder, host: '127.0.0.1', port: 0 })
      for (const repository of [vendor.url, server.url]) {
        const paths = prefixFor(repository)
        await installIn(paths, source, { revision: 'main', environment })
        const read = (name: string) => fs.readFileSync(path.join(paths.current, 'deps', name), 'utf8')
        expect(fs.existsSync(path.join(paths.current, 'deps', 'tiny-1.0.0-py3-none-any.whl'))).toBe(true)
        expect(read('env')).not.toContain('SECRET_OF_THE_CALLER')
        expect(read('env')).toContain('npm_config_offline=true')
        if (process.geteuid!() === 0) expect(read('uid')).not.toBe('0\n')
        // With a repository on this machine there is no network at all; with one that is reached over it there is.
        const isOpen = repository === server.url || !isKept
        expect(beacon.connections()).toBe(isOpen ? 1 : 0)
      }
      await server.close()
      await beacon.close()
    },
  )

  it('runs nothing of a commit by looking at it', async () => {
    const marker = path.join(tempFolder(), 'marker')
    const source = pingRepository({ files: { '.gitattributes': '* filter=evil\n' } })
    const { environment } = source
    // As LFS is set up: by whoever runs git, for any repository that asks for it.
    fs.writeFileSync(
      path.join(environment['HOME']!, '.gitconfig'),
      `[filter "evil"]\n smudge = touch ${marker}; cat\n required = true\n[core]\n hooksPath = ${hooksThatTouch(marker)}\n`,
    )
    const paths = prefixFor(vendor.url)
    expect(await installIn(paths, source, { revision: 'main' })).toMatchObject({ changed: true })
    expect(fs.existsSync(marker)).toBe(false)
    expect(fs.readdirSync(path.join(paths.cache, 'source')).filter(name => !name.endsWith('.git'))).toEqual(['lock'])
  })

  it('leaves everything as it was when the build fails, and says why', async () => {
    const source = building('echo "no such dependency" >&2; exit 3')
    const paths = prefixFor(vendor.url)
    const error = await installIn(paths, source, { revision: 'main' }).catch((caught: ReleaseError) => caught)
    expect(error).toMatchObject({ code: 'REVISION_BUILD', details: { reason: 'BUILD_COMMAND' } })
    expect((error as ReleaseError).message).toContain('no such dependency')
    expect(fs.readdirSync(paths.releases)).toEqual([])
    expect(fs.readdirSync(path.join(paths.cache, 'source'))).not.toContain('dist')
  })

  it.each([
    ['REVISION_UNKNOWN', { revision: 'no-such-branch' }],
    ['REVISION_UNKNOWN', { revision: 'ab'.repeat(20) }],
    ['REVISION_UNKNOWN', { revision: '--upload-pack=touch' }],
    ['REVISION_UNKNOWN', { revision: 'main..main' }],
    ['SOURCE_UNNAMED', { revision: 'main', source: undefined }],
    ['SOURCE_ADDRESS', { revision: 'main', source: 'ext::sh -c true' }],
    ['SOURCE_ADDRESS', { revision: 'main', source: '--upload-pack=x' }],
    ['SOURCE_ADDRESS', { revision: 'main', source: 'http://git.example.org/app' }],
    ['SOURCE_ADDRESS', { revision: 'main', source: 'https://ada:secret@git.example.org/app' }],
    ['GIT_FAILED', { revision: 'main', source: '/no/such/folder' }],
    ['EXEC_NOT_FOUND', { revision: 'main', cutover: [process.execPath, import.meta.filename] as const }],
  ])('refuses with %s: %j', async (code, options) => {
    const paths = prefixFor(vendor.url)
    const error = await installIn(paths, pingRepository(), options as { revision: string }).catch(caught => caught)
    expect(error).toMatchObject({ code })
    expect(error.message).not.toContain('secret')
    expect(fs.readdirSync(paths.releases)).toEqual([])
  })
})

it.skipIf(process.geteuid!() !== 0)(
  'builds as root in no prefix of another user, who could have put anything there',
  async () => {
    const paths = prefixFor(vendor.url)
    fs.chownSync(paths.root, 65_000, 65_000)
    expect(await codeOfAsync(installIn(paths, pingRepository(), { revision: 'main' }))).toBe('REVISION_OWNER')
  },
)

/** Somebody on this machine whom a build could speak to. */
async function listen() {
  let count = 0
  const server = net.createServer(socket => {
    count += 1
    socket.end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => count,
    close: () => new Promise(resolve => server.close(resolve)),
  }
}

function hooksThatTouch(marker: string): string {
  const folder = tempFolder()
  for (const name of ['post-checkout', 'reference-transaction']) {
    fs.writeFileSync(path.join(folder, name), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 })
  }
  return folder
}
