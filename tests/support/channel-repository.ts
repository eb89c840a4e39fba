import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { runProgram } from '../../src/cli/program.ts'
import { releaseExecutable } from '../../src/cli/release-commands.ts'
import { digestOf } from '../../src/core/digest.ts'
import { ReleaseError } from '../../src/core/error.ts'
import { debianVersion } from '../../src/core/version.ts'
import { type Artifact, type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import { artifactsOf } from '../../src/repository/artifacts.ts'
import { openRepository, pinRoot, type TrustedRepository } from '../../src/trust/client.ts'
import { poolKey } from '../../src/trust/layout.ts'
import { type TestRepository, testRepository } from './git-repository.ts'
import { recordIo } from './io.ts'
import { makeRelease } from './made-release.ts'
import { tempFolder } from './temp.ts'
import { tinyDeb } from './tiny-deb.ts'

/** How a command of `release` ended. */
export interface ReleaseRun {
  readonly exitCode: number
  readonly changed: boolean | undefined
  readonly result: unknown
  readonly error: { readonly code: string; readonly hint: string } | undefined
  readonly rows: readonly (readonly string[])[]
  readonly text: string
}

/** What each kind of client is offered. */
export interface Offers {
  /** By suite, the versions of the package. */
  readonly apt: Readonly<Record<string, readonly string[]>>
  /** By channel, what its signed document names. */
  readonly targets: Readonly<Record<string, string | undefined>>
  /** By tag that is a channel, the version whose image it names. */
  readonly tags: Readonly<Record<string, string | undefined>>
  /** The Python files that are marked as withdrawn. */
  readonly yanked: readonly string[]
}

/** A repository with a clone beside it, to which releases are uploaded and about which the real commands are run. */
export interface ChannelRepository {
  readonly folder: string
  readonly run: (...argv: string[]) => Promise<ReleaseRun>
  /** Make a release by hand, tag it unless it is a snapshot, and upload it. */
  readonly release: (version: string, made?: { readonly deltaFrom?: string }) => Promise<void>
  /** Put a recipe into the clone, which copies share, or take it out again. */
  readonly writeRecipe: (text: string | undefined) => void
  /** Read as clients do: apt's suites, tuf-js, the image layout, the Python index. */
  readonly offers: () => Promise<Offers>
  /** Ask for a release by its version as an installer does: its tarball's size, or the code of the refusal. */
  readonly fetch: (version: string) => Promise<number | string | undefined>
  /** The keys that a web server could serve, sorted. */
  readonly files: () => readonly string[]
  /** The same once more, to be changed on its own. */
  readonly copy: () => ChannelRepository
}

/** A place to publish to that is no folder. */
export interface RemotePlace {
  readonly address: string
  /** Where clients reach it. */
  readonly url: string
  /** Where publishers find their credentials. */
  readonly environment: Readonly<Record<string, string>>
  /** Bring what clients find there now into an empty folder. */
  readonly download: (folder: string) => Promise<void>
}

const channels = ['edge', 'beta', 'stable'] as const

/** Make a repository for the application `notes` by the real commands; what is remote is looked at in a copy, but by installers. */
export async function channelRepository(remote?: RemotePlace): Promise<ChannelRepository> {
  const clone = testRepository()
  clone.commit('First')
  const base = tempFolder()
  const repository = repositoryIn(base, clone, remote)
  const place = remote === undefined ? [repository.folder] : [remote.address, '--url', remote.url]
  await must(repository.run('init', ...place, '--name', 'vendor', '--application', 'notes'))
  return repository
}

function repositoryIn(base: string, clone: TestRepository, remote?: RemotePlace): ChannelRepository {
  const folder = path.join(base, 'repository')
  const url = remote?.url ?? pathToFileURL(folder).href
  const open = async () => {
    if (remote !== undefined) fs.rmSync(folder, { recursive: true, force: true })
    await remote?.download(folder)
    return openClient(url, path.join(base, 'trust'))
  }
  const tree = clone.git('rev-parse', 'HEAD^{tree}').trim()
  const environment = { ...clone.environment, ...remote?.environment }
  const run = (...argv: string[]) => {
    const place = argv[0] === 'init' ? [] : ['--repository', remote?.address ?? folder]
    return runRelease([...argv, ...place, '--keys', path.join(base, 'keys')], { ...clone, environment })
  }
  return {
    folder,
    run,
    release: async (version, { deltaFrom } = {}) => {
      const isSnapshot = version.includes('-git')
      if (!isSnapshot) clone.git('tag', '--force', '--annotate', '--message', version, `v${version}`)
      const distFolder = path.join(base, 'dist')
      const deb = tinyDeb('notes', debianVersion(version), version)
      const tagged = isSnapshot ? {} : { tag: `v${version}`, tree }
      const record = makeRelease({ distFolder, version, python: true, deb, ...tagged })
      if (deltaFrom !== undefined) addDelta(path.join(distFolder, version), record, deltaFrom)
      await must(run('upload', version, '--dist', distFolder))
    },
    writeRecipe: text => {
      const file = path.join(clone.folder, 'release.yaml')
      if (text === undefined) fs.rmSync(file)
      else fs.writeFileSync(file, text)
    },
    offers: async () => readOffers(folder, await open()),
    fetch: async version => fetchRelease(folder, await open(), version),
    files: () =>
      fs
        .readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => path.relative(folder, path.join(entry.parentPath, entry.name)))
        .filter(file => !file.startsWith('.cutover/'))
        .toSorted(),
    copy: () => {
      const other = tempFolder()
      fs.cpSync(base, other, { recursive: true })
      return repositoryIn(other, clone)
    },
  }
}

/** Bytes that only look like a delta pack: what it starts from is all that is read of it here. */
function addDelta(folder: string, record: ReleaseRecord, from: string): void {
  const bytes = Buffer.from(`from ${from}`)
  const name = `notes-${record.version}-from-${from}.delta`
  fs.writeFileSync(path.join(folder, name), bytes)
  const stored = { sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
  const delta: Artifact = {
    kind: 'delta',
    name,
    mediaType: 'application/octet-stream',
    from,
    fromManifest: digestOf(from),
    ...stored,
  }
  const [component, ...others] = record.components
  const components = [{ ...component!, artifacts: [...component!.artifacts, delta] }, ...others]
  fs.writeFileSync(path.join(folder, 'release.json'), recordBytes({ ...record, components }))
}

async function runRelease(argv: readonly string[], clone: TestRepository): Promise<ReleaseRun> {
  const io = { ...recordIo({ environment: clone.environment }), cwd: clone.folder }
  const before = process.exitCode
  process.exitCode = 0
  const code = await runProgram(releaseExecutable, [...argv, '--json'], io)
  const exitCode = code || Number(process.exitCode)
  process.exitCode = before
  return { exitCode, ...parse(io.text().stdout) }
}

async function must(running: Promise<ReleaseRun>): Promise<void> {
  const { exitCode, text } = await running
  if (exitCode !== 0) throw new Error(text.slice(-2000))
}

function parse(stdout: string): Omit<ReleaseRun, 'exitCode'> {
  const events = stdout
    .trim()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Readonly<Record<string, unknown>>)
  const done = events.findLast(event => event['kind'] === 'run-done')
  const failed = events.findLast(event => event['error'] !== undefined)
  return {
    changed: done?.['changed'] as boolean | undefined,
    result: done?.['result'],
    error: failed?.['error'] as ReleaseRun['error'],
    rows: events.filter(event => event['kind'] === 'table').flatMap(event => event['rows'] as string[][]),
    text: stdout,
  }
}

async function openClient(repositoryUrl: string, folder: string): Promise<TrustedRepository> {
  await pinRoot({ folder, repositoryUrl })
  return openRepository({ folder, repositoryUrl })
}

async function fetchRelease(folder: string, client: TrustedRepository, version: string) {
  try {
    const { record } = await client.record('notes', version)
    const tarball = artifactsOf(record, 'tarball')[0]
    return fs.statSync(path.join(folder, poolKey('notes', version, tarball?.name ?? ''))).size
  } catch (caught) {
    if (caught instanceof ReleaseError) return caught.code
    throw caught
  }
}

async function readOffers(folder: string, client: TrustedRepository): Promise<Offers> {
  const { releases } = await client.index('notes')
  const targets: Record<string, string | undefined> = {}
  for (const channel of channels) targets[channel] = (await client.channel('notes', channel))?.release?.version
  const images = new Map(releases.flatMap(({ version, images: [image] }) => (image ? [[image.digest, version]] : [])))
  const layout = JSON.parse(fs.readFileSync(path.join(folder, 'oci/notes/index.json'), 'utf8')) as {
    readonly manifests: readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[]
  }
  const tagged = new Map(
    layout.manifests.map(({ digest, annotations }) => [annotations?.['org.opencontainers.image.ref.name'], digest]),
  )
  const python = JSON.parse(fs.readFileSync(path.join(folder, 'simple/notes/index.json'), 'utf8')) as {
    readonly files: readonly { readonly filename: string; readonly yanked: boolean | string }[]
  }
  return {
    apt: Object.fromEntries(channels.map(channel => [channel, suiteVersions(folder, channel)])),
    targets,
    tags: Object.fromEntries(channels.map(channel => [channel, images.get(tagged.get(channel) as `sha256:${string}`)])),
    yanked: python.files.flatMap(({ filename, yanked }) => (yanked === false ? [] : [`${filename}: ${yanked}`])),
  }
}

function suiteVersions(folder: string, suite: string): readonly string[] {
  const file = path.join(folder, 'dists', suite, 'main/binary-all/Packages.gz')
  const text = gunzipSync(fs.readFileSync(file)).toString('utf8')
  return [...text.matchAll(/^Version: (.*)-1$/gm)].map(match => match[1]!)
}
