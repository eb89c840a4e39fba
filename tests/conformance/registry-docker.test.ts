import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { releaseExecutable } from '../../src/cli/release-commands.ts'
import { type Digest, digestOf } from '../../src/core/digest.ts'
import { lookAtImage } from '../../src/registry/look.ts'
import { pullImage } from '../../src/registry/pull.ts'
import { type PushOptions, pushImage } from '../../src/registry/push.ts'
import { parseReference } from '../../src/registry/reference.ts'
import { artifactsOf } from '../../src/repository/artifacts.ts'
import { codeOfAsync } from '../support/codes.ts'
import { type Admission, dockerRegistry, makeCertificate, tokenServer } from '../support/docker-registry.ts'
import { recordIo } from '../support/io.ts'
import { killingProxy } from '../support/killing-proxy.ts'
import { makeImage } from '../support/made-image.ts'
import { makeRelease } from '../support/made-release.ts'
import { makeRepository } from '../support/made-repository.ts'
import { makeOutletRelease } from '../support/outlet-tools.ts'
import { registryTools } from '../support/registry-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

const base = tempFolder()
const newFolder = () => fs.mkdtempSync(path.join(base, 'part-'))

const user = 'alice'
const password = 'correct horse'
const release = path.resolve(import.meta.dirname, '../../src/bin/release.ts')

const common = { plainHttp: false, environment: {}, onProgress: () => {} }
const push = (host: string, folder: string, options: Partial<PushOptions> = {}) => {
  const name = { registry: host, repository: 'team/app' }
  return pushImage({ ...common, folder, name, tags: ['1.0.0'], ...options }, registryTools())
}
const pull = (host: string, folder: string, environment = {}, tag = '1.0.0') => {
  const reference = parseReference(`${host}/team/app:${tag}`)
  return pullImage({ ...common, reference, folder, environment }, registryTools())
}
const run = (command: string, ...argv: string[]) =>
  execFileSync(command, argv, { stdio: ['ignore', 'pipe', 'pipe'] }).toString()

function authFile(host: string, entry: object): string {
  const file = path.join(newFolder(), 'auth.json')
  fs.writeFileSync(file, JSON.stringify({ auths: { [host]: entry } }), { mode: 0o600 })
  return file
}
const passwordEntry = { auth: Buffer.from(`${user}:${password}`).toString('base64') }

describe.skipIf(!needTool('docker-registry', 'skopeo'))("Docker's registry", () => {
  it('has after a push what skopeo, and we, pull again byte by byte', async () => {
    const folder = newFolder()
    const image = makeImage({ folder: path.join(folder, 'image'), layerBytes: 3_000_000, referrers: ['one'] })
    const { host } = await dockerRegistry()
    expect(await push(host, image.folder, { largestWholeBytes: 1_000_000, chunkBytes: 1_500_000 })).toMatchObject({
      isUnchanged: false,
      wroteReferrersTag: true,
    })
    expect(await push(host, image.folder)).toMatchObject({ isUnchanged: true, sentManifests: 0 })
    const copied = path.join(folder, 'copied')
    run('skopeo', 'copy', '-q', '--all', '--src-tls-verify=false', `docker://${host}/team/app:1.0.0`, `oci:${copied}:1`)
    const pulled = path.join(folder, 'pulled')
    expect(await pull(host, pulled)).toMatchObject({ digest: image.digest })
    for (const digest of [image.digest, ...image.manifests, image.layer.digest]) {
      const file = path.join('blobs/sha256', digest.slice('sha256:'.length))
      expect(digestOf(fs.readFileSync(path.join(copied, file)))).toBe(digest)
      expect(digestOf(fs.readFileSync(path.join(pulled, file)))).toBe(digest)
    }
    run('skopeo', 'inspect', '--raw', `oci:${pulled}:1.0.0`)
    const look = await lookAtImage({ ...common, reference: parseReference(`${host}/team/app:1.0.0`) }, registryTools())
    expect(look.referrers.map(({ digest }) => digest)).toEqual(image.referrers)
  })

  it('gives us what skopeo has pushed, also in the form of Docker', async () => {
    const folder = newFolder()
    const image = makeImage({ folder: path.join(folder, 'image') })
    const { host } = await dockerRegistry()
    const from = `oci:${image.folder}:1.0.0`
    run('skopeo', 'copy', '-q', '--all', '--dest-tls-verify=false', from, `docker://${host}/team/app:1.0.0`)
    run('skopeo', 'copy', '-q', '--format', 'v2s2', '--dest-tls-verify=false', from, `docker://${host}/team/app:docker`)
    expect(await pull(host, path.join(folder, 'a'))).toMatchObject({ digest: image.digest })
    const docker = await pull(host, path.join(folder, 'b'), {}, 'docker')
    expect(docker.mediaType).toContain('vnd.docker.distribution.manifest.v2')
    expect(docker.manifests).toMatchObject([{ platform: { os: 'linux', architecture: 'amd64' } }])
    expect(await push(host, path.join(folder, 'b'), { tags: ['again'] })).toMatchObject({ digest: docker.digest })
  })

  it('takes over a layer from another repository', async () => {
    const folder = newFolder()
    const baseLayer = Buffer.alloc(20_480, 7)
    const { host } = await dockerRegistry()
    const base = makeImage({ folder: path.join(folder, 'base'), baseLayer, seed: 'base' })
    await push(host, base.folder, { name: { registry: host, repository: 'team/base' } })
    const baseName = `${host}/team/base:1.0.0`
    const image = makeImage({ folder: path.join(folder, 'image'), baseLayer, seed: 'own', baseName })
    const { blobs } = await push(host, image.folder)
    expect(blobs.filter(({ outcome }) => outcome === 'mounted')).toHaveLength(1)
    expect(await pull(host, path.join(folder, 'pulled'))).toMatchObject({ digest: image.digest })
  })

  const admissions: Readonly<Record<string, () => Promise<Admission>>> = {
    htpasswd: async () => ({ kind: 'htpasswd', user, password }),
    token: async () => ({
      kind: 'token',
      server: await tokenServer({ user, password, refreshToken: 'long', anonymous: ['pull'] }),
    }),
  }

  it.skipIf(!needTool('htpasswd', 'openssl')).each(Object.keys(admissions))('lets in who may, with %s', async kind => {
    const folder = newFolder()
    const image = makeImage({ folder: path.join(folder, 'image') })
    const admission = await admissions[kind]!()
    const { host } = await dockerRegistry(admission)
    const wrong = { auth: Buffer.from(`${user}:wrong`).toString('base64') }
    for (const environment of [{}, { REGISTRY_AUTH_FILE: authFile(host, wrong) }]) {
      expect(await codeOfAsync(push(host, image.folder, { environment }))).toBe('REGISTRY_AUTH')
    }
    const environment = { REGISTRY_AUTH_FILE: authFile(host, passwordEntry) }
    await push(host, image.folder, { environment })
    expect(await pull(host, path.join(folder, 'a'), environment)).toMatchObject({ digest: image.digest })
    if (admission.kind !== 'token') return
    // What everybody may read is read without credentials, and an identity token is as good as a password.
    expect(await pull(host, path.join(folder, 'b'))).toMatchObject({ digest: image.digest })
    const identity = { REGISTRY_AUTH_FILE: authFile(host, { identitytoken: 'long' }) }
    await push(host, image.folder, { environment: identity, tags: ['2'] })
    expect(admission.server.requests.map(({ as }) => as)).toEqual(
      expect.arrayContaining(['anonymous', 'identity', 'password', 'nobody']),
    )
  })

  it('has everything once a push that was killed anywhere is run again', async () => {
    const folder = newFolder()
    const distFolder = path.join(folder, 'dist')
    const { artifact } = makeReleaseWithLayout({ distFolder, version: '1.0.0', content: pseudoRandom(3_000_000) })
    const layerBytes = Math.max(...artifact.blobs.map(({ sizeBytes }) => sizeBytes))
    const { host } = await dockerRegistry()
    for (const [at, afterBytes] of [100, 1500, layerBytes / 4, layerBytes, layerBytes + 2500].entries()) {
      const proxy = await killingProxy(host, afterBytes)
      const argv = (through: string) => [
        'image',
        'push',
        '1.0.0',
        `${through}/team/app${at}`,
        '--dist',
        distFolder,
        '--json',
      ]
      const child = spawn(process.execPath, [release, ...argv(proxy.host)], { stdio: 'ignore', cwd: folder })
      proxy.onReached(() => child.kill('SIGKILL'))
      expect(await new Promise(resolve => child.once('exit', (_code, signal) => resolve(signal)))).toBe('SIGKILL')
      expect((await cli(argv(host))).exitCode).toBe(0)
      const again = await cli(argv(host))
      expect(again.last).toMatchObject({ changed: false, result: { tags: ['1.0.0'], sentManifests: 0 } })
      const reference = parseReference(`${host}/team/app${at}:1.0.0`)
      const options = { ...common, reference, folder: path.join(folder, `pulled${at}`) }
      expect(await pullImage(options, registryTools())).toMatchObject({ digest: artifact.digest })
    }
  })

  it.skipIf(!needTool('openssl'))('is spoken to with TLS, whose authority has to be known', async () => {
    const folder = newFolder()
    const image = makeImage({ folder: path.join(folder, 'image') })
    const certificate = makeCertificate()
    const { host } = await dockerRegistry({ kind: 'htpasswd', user, password }, certificate)
    const script = `
      import { pushImage } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../src/registry/push.ts'))}
      const tools = { clock: { nowMs: Date.now, elapsedMs: Date.now }, wait: async () => {}, random: Math.random, warn: () => {}, signal: new AbortController().signal }
      const name = { registry: ${JSON.stringify(host)}, repository: 'team/app' }
      const environment = { REGISTRY_AUTH_FILE: ${JSON.stringify(authFile(host, passwordEntry))} }
      const options = { folder: ${JSON.stringify(image.folder)}, name, tags: ['1'], plainHttp: false, environment, onProgress: () => {} }
      console.log(await pushImage(options, tools).then(() => 'pushed', error => error.code + ' ' + error.details.errno))`
    const outcome = (environment: Record<string, string>) =>
      execFileSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
        env: { PATH: process.env['PATH'], ...environment },
        encoding: 'utf8',
      }).trim()
    expect(outcome({})).toBe('HTTP_FAILED DEPTH_ZERO_SELF_SIGNED_CERT')
    expect(outcome({ NODE_EXTRA_CA_CERTS: certificate.file })).toBe('pushed')
  })
})

describe.skipIf(!needTool('docker-registry', 'podman'))('podman', () => {
  it.each(['gzip', 'zstd'] as const)('pulls what we have pushed, compressed with %s', async codec => {
    const folder = newFolder()
    const image = makeImage({ folder: path.join(folder, 'image'), codec, layerBytes: 100_000 })
    const { host } = await dockerRegistry()
    await push(host, image.folder)
    const store = [
      '--root',
      path.join(folder, 'root'),
      '--runroot',
      path.join(folder, 'run'),
      '--storage-driver',
      'vfs',
    ]
    run('podman', ...store, 'pull', '-q', '--tls-verify=false', `${host}/team/app:1.0.0`)
    const shown = JSON.parse(run('podman', ...store, 'image', 'inspect', `${host}/team/app:1.0.0`)) as {
      RepoDigests: string[]
      Architecture: string
    }[]
    expect(shown[0]?.RepoDigests.some(digest => digest.endsWith(image.digest))).toBe(true)
    expect(shown[0]?.Architecture).toBe('amd64')
  })
})

describe.skipIf(!needTool('docker-registry'))('release image', () => {
  it('pushes the image of a release, shows it and fetches it', async () => {
    const distFolder = path.join(newFolder(), 'dist')
    const { record, artifact } = makeReleaseWithLayout({ distFolder, version: '1.2.0-rc.1+build.5' })
    const { host } = await dockerRegistry()
    const place = `${host}/team/app`
    const pushed = await cli(['image', 'push', place, '--dist', distFolder, '--json'])
    expect(pushed.last).toMatchObject({
      kind: 'run-done',
      changed: true,
      result: { version: record.version, tags: ['1.2.0-rc.1_build.5'], reference: `${place}@${artifact.digest}` },
    })
    const again = await cli([
      'image',
      'push',
      `${place}:edge`,
      '--tag',
      '1.2.0-rc.1_build.5',
      '--dist',
      distFolder,
      '--json',
    ])
    expect(again.last).toMatchObject({ result: { movedTags: ['edge'] } })
    const looked = await cli(['image', 'inspect', `${place}:edge`])
    expect(looked.exitCode).toBe(0)
    expect(looked.stdout).toContain('linux/amd64')
    expect(looked.stdout).toContain(artifact.digest)
    const folder = path.join(newFolder(), 'pulled')
    expect((await cli(['image', 'pull', `${place}@${artifact.digest}`, folder])).exitCode).toBe(0)
    expect((await cli(['image', 'pull', `${place}@${artifact.digest}`, folder, '--json'])).last).toMatchObject({
      changed: false,
    })
  })

  it.each([
    [['image', 'push', 'not a name'], 'REFERENCE_INVALID', 2],
    [['image', 'push', '1.0.0', 'a.example/b', 'a.example/c'], 'USAGE', 2],
    [['image', 'push', `a.example/b@sha256:${'0'.repeat(64)}`], 'REFERENCE_INVALID', 2],
    [['image', 'push', '9.9.9', 'a.example/b'], 'RELEASE_NOT_CUT', 1],
    [['image', 'pull', 'a.example/b', 'x', '--platform', 'linux'], 'USAGE', 2],
    [['image', 'inspect', '127.0.0.1:1/a/b'], 'HTTP_FAILED', 1],
  ])('%j is %s', async (argv, code, exitCode) => {
    const ended = await cli([...argv, '--json'])
    expect(ended.last).toMatchObject({ kind: 'run-failed', error: { code } })
    expect(ended.exitCode).toBe(exitCode)
  })

  it('pushes what was published together with its signed provenance', async () => {
    const vendor = await makeRepository(newFolder())
    await vendor.publish({ version: '1.0.0-dev.1', evidence: true })
    const { host } = await dockerRegistry()
    const argv = [
      'image',
      'push',
      `${host}/team/app`,
      '--dist',
      vendor.distFolder,
      '--repository',
      vendor.folder,
      '--json',
    ]
    expect((await cli(argv)).last).toMatchObject({ kind: 'run-done', changed: true })
    const reference = parseReference(`${host}/team/app:1.0.0-dev.1`)
    const { referrers } = await lookAtImage({ ...common, reference }, registryTools())
    expect(referrers.map(({ artifactType }) => artifactType)).toContain('application/vnd.dsse.envelope.v1+json')
    makeRelease({ distFolder: vendor.distFolder, version: '1.0.0-dev.2' })
    expect((await cli([...argv.slice(0, 2), '1.0.0-dev.2', ...argv.slice(2)])).last).toMatchObject({
      error: { code: 'RELEASE_UNKNOWN' },
    })
  })

  it('says which components have an image', async () => {
    const distFolder = path.join(newFolder(), 'dist')
    makeRelease({ distFolder, version: '1.0.0' })
    const argv = ['image', 'push', 'a.example/b', '--component', 'other', '--dist', distFolder, '--json']
    expect((await cli(argv)).last).toMatchObject({
      error: { code: 'IMAGE_UNSUPPORTED', details: { images: ['notes'] } },
    })
  })
})

function makeReleaseWithLayout(made: Parameters<typeof makeOutletRelease>[0]) {
  const { record } = makeOutletRelease(made)
  return { record, artifact: artifactsOf(record, 'oci')[0]! }
}

async function cli(argv: readonly string[]) {
  const io = { ...recordIo({ environment: { PATH: process.env['PATH'] ?? '' } }), cwd: newFolder() }
  const before = process.exitCode
  const exitCode = await runProgram(releaseExecutable, argv, io)
  process.exitCode = before
  const { stdout } = io.text()
  const lines = stdout.split('\n').filter(line => line.startsWith('{'))
  return { exitCode, stdout, last: JSON.parse(lines.at(-1) ?? '{}') as { result: { digest: Digest } } }
}

/** Text that does not compress. */
function pseudoRandom(sizeBytes: number): string {
  let text = ''
  for (let at = 0; text.length < sizeBytes; at += 1) text += digestOf(`${at}`).slice('sha256:'.length)
  return text
}
