import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeFixtureRepository } from '../../fixtures/make-repository.ts'
import { staleWorkspaces } from '../../src/build/workspace.ts'
import { digestOf, hexOf } from '../../src/core/digest.ts'
import type { ReleaseError } from '../../src/core/error.ts'
import { cut } from '../../src/flow/cut.ts'
import { rebuildRelease } from '../../src/flow/rebuild.ts'
import type { RebuildResult } from '../../src/flow/rebuild-report.ts'
import type { RebuildOptions } from '../../src/flow/rebuild-state.ts'
import { compressedManifest, type PayloadManifest, parseManifest } from '../../src/payload/manifest.ts'
import { type Artifact, parseReleaseRecord, type ReleaseRecord, recordBytes } from '../../src/payload/release-record.ts'
import type { TestRepository } from '../support/git-repository.ts'
import { makeOperator } from '../support/operator.ts'
import { pingRepository } from '../support/ping-app.ts'
import { type RecordedTools, recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

const executable = path.resolve(import.meta.dirname, '../../src/bin/release.ts')
const distOf = (repository: TestRepository) => path.join(repository.folder, 'dist')

async function cutIn(repository: TestRepository, version: string | undefined): Promise<void> {
  const { folder: cwd, environment } = repository
  await cut({ cwd, environment, version, snapshot: version === undefined, dryRun: false }, recordedTools())
}

async function rebuildIn(
  repository: TestRepository,
  options: Partial<RebuildOptions> & { readonly tools?: RecordedTools } = {},
): Promise<RecordedTools> {
  const { folder: cwd, environment } = repository
  const { tools = recordedTools(), ...others } = options
  const distFolder = distOf(repository)
  await rebuildRelease({ cwd, environment, version: '1.0.0', distFolder, ...others }, tools)
  return tools
}

/** The rows of the table: artifact, result, where, released, built again, why. */
function rowsOf(tools: RecordedTools): readonly (readonly string[])[] {
  return tools.events.flatMap(event => (event.kind === 'table' ? event.rows : []))
}

/** Rebuild what must differ, and hand back the rows that say so, without the artifacts that are equal. */
async function differing(
  repository: TestRepository,
  options: Partial<RebuildOptions> = {},
): Promise<{
  readonly rows: readonly (readonly string[])[]
  readonly error: ReleaseError
  readonly tools: RecordedTools
}> {
  const tools = recordedTools()
  const error = (await rebuildIn(repository, { ...options, tools }).catch(caught => caught)) as ReleaseError
  expect(error).toMatchObject({ code: 'REBUILD_DIFFERS', exitCode: 1 })
  return { rows: rowsOf(tools).filter(([, result]) => result === 'differs'), error, tools }
}

const whyOf = (rows: readonly (readonly string[])[], where: RegExp) => rows.find(row => where.test(row[2]!))?.[5]

describe('release verify --rebuild', () => {
  it('finds a published release equal', async () => {
    const operator = makeOperator()
    await makeFixtureRepository({ fixture: 'notes', folder: operator.at('notes') })
    await operator.succeed('notes', 'release', 'init', '../repository', '--keys', '../keys', '--application', 'notes')
    await operator.succeed('notes', 'release', 'cut', '1.1.3')
    await operator.succeed('notes', 'release', 'upload')
    const published = (await operator.succeed('notes', 'release', 'verify', '1.1.3', '--rebuild')) as RebuildResult
    expect(published.equal).toContain('notes-1.1.3.oci')
    expect(published.equal).toContain('release.json')
  })

  it('builds the changes of the record, whatever was committed since, and leaves clone and dist alone', async () => {
    const repository = pingRepository()
    await cutIn(repository, '1.0.0')
    repository.commit('feat: more', { 'CHANGELOG.md': '# Changelog\n\n## [Unreleased]\n\nWritten by hand.\n' })
    await cutIn(repository, '1.1.0')
    repository.commit('feat: break it', { 'release.yaml': 'schema: 1\n' })
    const before = [repository.state(), listing(distOf(repository))]
    const tools = await rebuildIn(repository, { version: '1.1.0' })
    const delta = 'ping-1.1.0.from-1.0.0.delta'
    const { equal, notCompared } = tools.result<RebuildResult>()
    expect(equal).toEqual(expect.arrayContaining(['ping-1.1.0-source.zip', delta]))
    expect(notCompared).toEqual([])
    expect([repository.state(), listing(distOf(repository))]).toEqual(before)
    expect(staleWorkspaces(path.join(repository.folder, '.git', 'rebuild'))).toEqual([])
    expect(tools.events.filter(event => event.kind === 'step-started').map(event => event.step)).not.toContain('tests')
    // A delta is made of two releases, and one of them may be gone.
    fs.rmSync(path.join(distOf(repository), '1.0.0'), { recursive: true })
    const without = await rebuildIn(repository, { version: '1.1.0' })
    expect(without.result<RebuildResult>().notCompared).toEqual([delta])
    expect(rowsOf(without).find(row => row[1] === 'not compared')?.[5]).toContain('1.0.0')
  })

  it('builds a snapshot again', async () => {
    const repository = pingRepository()
    await cutIn(repository, undefined)
    const [version = ''] = fs.readdirSync(distOf(repository))
    const tools = await rebuildIn(repository, { version })
    expect(tools.result<RebuildResult>().version).toBe(version)
  })

  it('names file, place and reason of what a build makes differently each time', async () => {
    const repository = pingRepository()
    const recipe = path.join(repository.folder, 'release.yaml')
    const steps = [
      'mkdir out',
      'printf "first\\nbuilt %s" "$(date +%FT%T.%N)" > out/time',
      'pwd > out/path',
      "node -p 'crypto.randomUUID()' > out/id",
      'echo "$(date +%s%N)" | gzip > out/packed.gz',
      'touch "out/$(date +%N).tmp"',
      'mkdir -p d/ping-1.0 && date +%s%N > d/ping-1.0/when',
      'tar -C d -czf d/ping-1.0.tar.gz --mtime=@0 --sort=name --exclude=*.gz ping-1.0',
    ].join(' && ')
    const text = fs.readFileSync(recipe, 'utf8').replace('artifacts:\n', 'artifacts:\n  python: [d]\n')
    fs.writeFileSync(recipe, text.replace('mkdir out', steps))
    repository.commit('build: carelessly')
    await cutIn(repository, '1.0.0')
    const { rows, error } = await differing(repository)
    expect(rows.find(row => /^\/opt\/ping\/time, line 2, byte \d+$/.test(row[2]!))?.[0]).toBe('ping-1.0.0.tar.zst')
    expect(whyOf(rows, /^\/opt\/ping\/time,/)).toContain('the time of the build')
    expect(whyOf(rows, /^\/opt\/ping\/path,/)).toContain('absolute path of the build')
    expect(whyOf(rows, /^\/opt\/ping\/id,/)).toContain('identifier')
    expect(whyOf(rows, /^\/opt\/ping\/packed\.gz, unpacked,/)).toContain('the time of the build')
    expect(rows.filter(row => row[2]!.endsWith('.tmp')).map(row => [row[3], row[4]])).toEqual([
      ['file of 0 bytes, mode 644', 'absent'],
      ['absent', 'file of 0 bytes, mode 644'],
    ])
    const distribution = rows.find(row => row[0] === 'ping-1.0.tar.gz')
    expect(distribution?.[2]).toMatch(/^ping-1\.0\/when, line 1, byte \d+$/)
    expect(distribution?.[5]).toContain('the time of the build')
    // Sources do not depend on the build; what carries the payload is told once, as that.
    const followers = rows.filter(row => row[5]!.startsWith('follows from ping')).map(row => row[0])
    expect(new Set(followers)).toEqual(
      new Set([
        'ping-1.0.0.manifest.json.zst',
        'ping-1.0.0.cdx.json',
        'ping_1.0.0-1_all.deb',
        'ping-1.0.0.oci',
        'ping-1.0.0.provenance.json',
        'release.json',
      ]),
    )
    expect(error.details['equal']).toEqual(['ping-1.0.0-source.tar.gz', 'ping-1.0.0-source.zip'])
  })
})

describe('a release that', () => {
  let repository: TestRepository

  beforeAll(async () => {
    repository = pingRepository()
    await cutIn(repository, '1.0.0')
  })

  /** A copy of what was cut, to be changed. */
  function copyOfDist() {
    const distFolder = path.join(tempFolder(), 'dist')
    fs.cpSync(distOf(repository), distFolder, { recursive: true })
    const file = path.join(distFolder, '1.0.0', 'release.json')
    const record = parseReleaseRecord(fs.readFileSync(file))
    const artifact = (kind: Artifact['kind']) => record.components[0]!.artifacts.find(each => each.kind === kind)!
    return {
      distFolder,
      record,
      recordFile: file,
      artifact,
      at: (...names: string[]) => path.join(distFolder, '1.0.0', ...names),
    }
  }

  it.each(['tarball', 'deb', 'source', 'manifest', 'sbom'] as const)(
    'has a changed %s is found, with the byte',
    async kind => {
      const { distFolder, artifact, at } = copyOfDist()
      const { name } = artifact(kind)
      const offset = flipByte(at(name), 40)
      const { rows } = await differing(repository, { distFolder })
      expect(rows).toEqual([
        [
          name,
          'differs',
          expect.stringContaining(`byte ${offset}`),
          expect.anything(),
          expect.anything(),
          expect.stringContaining('changed or damaged after the cut'),
        ],
      ])
    },
  )

  it('has a changed image or a missing file is found', async () => {
    const { distFolder, artifact, at } = copyOfDist()
    const image = artifact('oci')
    const config = image.kind === 'oci' ? image.blobs.find(blob => blob.mediaType.includes('config'))! : undefined
    flipByte(at(image.name, 'blobs/sha256', hexOf(config!.digest)), 12)
    fs.rmSync(at(artifact('deb').name))
    const { rows } = await differing(repository, { distFolder })
    expect(rows.map(row => [row[0], row[3]])).toEqual([
      [artifact('deb').name, 'missing'],
      [image.name, expect.stringMatching(/^sha256:/)],
    ])
  })

  it('was compressed by another library is told before it is built, and what differs for that', async () => {
    const copy = copyOfDist()
    rewriteManifest(copy, manifest => ({ ...manifest, codec: { ...manifest.codec, encoder: 'zstd 1.5.0' } }))
    const { rows, error, tools } = await differing(repository, { distFolder: copy.distFolder })
    const warned = tools.events.findIndex(event => event.kind === 'warning' && event.message.includes('zstd 1.5.0'))
    const built = tools.events.findIndex(event => event.kind === 'step-started' && event.step === 'build')
    expect(warned).toBeGreaterThan(0)
    expect(warned).toBeLessThan(built)
    expect(error.hint).toContain('zstd 1.5.0')
    expect(rows[0]).toEqual([
      copy.artifact('manifest').name,
      'differs',
      'codec.encoder',
      'zstd 1.5.0',
      `zstd ${process.versions.zstd}`,
      '',
    ])
  })

  it('was cut by another version of Cutover is told', async () => {
    const { distFolder, record, recordFile } = copyOfDist()
    fs.writeFileSync(recordFile, recordBytes({ ...record, toolVersion: '0.0.1' }))
    const argv = [executable, 'verify', '1.0.0', '--dist', distFolder]
    const { folder: cwd, environment: env } = repository
    const ended = spawnSync(process.execPath, argv, { cwd, env, encoding: 'utf8' })
    expect(ended).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/release\.json +differs +toolVersion +0\.0\.1 /),
      stderr: expect.stringContaining('error REBUILD_DIFFERS'),
    })
    const mistaken = spawnSync(process.execPath, [...argv, '--repository', 'r'], { cwd, env, encoding: 'utf8' })
    expect(mistaken).toMatchObject({ status: 2, stderr: expect.stringContaining('error USAGE') })
    const { rows, error } = await differing(repository, { distFolder })
    expect(rows).toEqual([
      [
        'release.json',
        'differs',
        'toolVersion',
        '0.0.1',
        expect.any(String),
        expect.stringContaining('another version'),
      ],
    ])
    expect(error.hint).toContain('Cutover 0.0.1')
  })

  it('was cut with another recipe is told', async () => {
    const elsewhere = tempFolder()
    const recipe = path.join(elsewhere, 'release.yaml')
    const text = fs.readFileSync(path.join(repository.folder, 'release.yaml'), 'utf8')
    fs.writeFileSync(recipe, text.replace('section: web', 'section: net').replace('cmd: [node', 'cmd: [nodejs'))
    const { rows } = await differing(repository, { recipe })
    expect(whyOf(rows, /^recipeDigest$/)).toContain('--recipe')
    expect(rows.find(row => row[2] === 'control, Section')?.slice(3, 5)).toEqual(['web', 'net'])
    expect(rows.find(row => row[0] === 'ping-1.0.0.oci')?.slice(2, 5)).toEqual([
      expect.stringContaining('config.Cmd[0]'),
      'node',
      'nodejs',
    ])
  })

  it('has no tag, a moved tag or no commit in the clone is not taken for another', async () => {
    const clone = path.join(tempFolder(), 'clone')
    const environment = { ...repository.environment, GIT_CONFIG_COUNT: '0' }
    const git = (...args: string[]) => execFileSync('git', args, { cwd: repository.folder, env: environment })
    git('clone', '--quiet', '--no-tags', repository.folder, clone)
    const inClone = (...args: string[]) => git('-C', clone, ...args)
    const from = { ...repository, folder: clone }
    const options = { distFolder: distOf(repository) }
    await expect(rebuildIn(from, options)).rejects.toMatchObject({
      code: 'REBUILD_SOURCE',
      hint: expect.stringContaining('--tags'),
    })
    inClone('tag', 'v1.0.0', 'HEAD~1')
    const { rows } = await differing(from, options)
    expect(rows).toEqual([
      ['tag v1.0.0', 'differs', 'tree', expect.any(String), expect.any(String), expect.stringContaining('moved')],
    ])
    const other = pingRepository({ files: { 'OTHER.md': 'x\n' } })
    other.git('tag', 'v1.0.0')
    await expect(rebuildIn(other, options)).rejects.toMatchObject({
      code: 'REBUILD_SOURCE',
      message: expect.stringContaining('the commit'),
    })
  })
})

/** Change one byte of a file, counted from its end, and hand back which. */
function flipByte(file: string, fromEnd: number): number {
  const bytes = fs.readFileSync(file)
  const offset = bytes.byteLength - fromEnd
  bytes[offset]! ^= 1
  // A new file: the copy may share its content with a layer.
  fs.rmSync(file)
  fs.writeFileSync(file, bytes)
  return offset
}

function listing(folder: string): string {
  return execFileSync('find', [folder, '-type', 'f', '-newermt', '2000-01-01', '-printf', '%p %T@ %s\n'], {
    encoding: 'utf8',
  })
}

/** Let the manifest of a release say something else, and the record name it. */
function rewriteManifest(
  {
    record,
    recordFile,
    at,
  }: { readonly record: ReleaseRecord; readonly recordFile: string; readonly at: (name: string) => string },
  change: (manifest: PayloadManifest) => PayloadManifest,
): void {
  const [component] = record.components
  const artifacts = component!.artifacts.map(artifact => {
    if (artifact.kind !== 'manifest') return artifact
    const bytes = compressedManifest(change(parseManifest(fs.readFileSync(at(artifact.name)))))
    fs.writeFileSync(at(artifact.name), bytes)
    return { ...artifact, digest: digestOf(bytes), sizeBytes: bytes.byteLength }
  })
  fs.writeFileSync(recordFile, recordBytes({ ...record, components: [{ ...component!, artifacts }] }))
}
