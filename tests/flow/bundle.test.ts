import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import description from '../../package.json' with { type: 'json' }
import { cutoverExecutable } from '../../src/cli/cutover-commands.ts'
import { releaseExecutable } from '../../src/cli/release-commands.ts'
import { digestOf } from '../../src/core/digest.ts'
import { repositoryRoot } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'

// Below the system's folder for temporary files there is no node_modules: what is not bundled cannot be found.
const folder = path.join(tempFolder(), 'build')

const run = (file: string, ...args: string[]) =>
  spawnSync(process.execPath, [path.join(folder, file), ...args], { cwd: path.dirname(folder), encoding: 'utf8' })

beforeAll(() => {
  const built = spawnSync('node', ['scripts/build.ts', folder], { cwd: repositoryRoot, encoding: 'utf8' })
  expect(built.stderr).toBe('')
  expect(built.status).toBe(0)
})

describe.each([releaseExecutable, cutoverExecutable])('the bundle of $name', executable => {
  it('tells its version', () => {
    expect(run(`${executable.name}.js`, '--version')).toMatchObject({ status: 0, stdout: `${description.version}\n` })
  })

  it.each(Object.keys(executable.commands))('has the command %s', name => {
    const { status, stdout, stderr } = run(`${executable.name}.js`, name, '--help')
    expect(stderr).toBe('')
    expect(status).toBe(0)
    expect(stdout).toContain(`${executable.name} ${name}`)
  })

  it('is an executable with an interpreter line', () => {
    const file = path.join(folder, `${executable.name}.js`)
    expect(fs.readFileSync(file, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(fs.statSync(file).mode & 0o777).toBe(0o755)
  })
})

it('every part loads without node_modules', () => {
  const parts = fs.readdirSync(path.join(folder, 'parts')).map(part => `./parts/${part}`)
  const program = `for (const part of ${JSON.stringify(parts)}) await import(new URL(part, 'file://${folder}/'))`
  const loaded = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  expect(loaded.stderr).toBe('')
  expect(loaded.status).toBe(0)
})

it('an upload that signs nothing loads no large library', () => {
  const hooks = `
    import { registerHooks } from 'node:module'
    registerHooks({ load: (url, context, next) => (process._rawDebug(url), next(url, context)) })`
  const program = ['--import', `data:text/javascript,${encodeURIComponent(hooks)}`, path.join(folder, 'release.js')]
  const argv = [...program, 'upload', '1.0.0', '--dist', folder]
  const { stderr } = spawnSync(process.execPath, argv, { cwd: path.dirname(folder), encoding: 'utf8' })
  expect(stderr).toContain('RELEASE_NOT_CUT')
  const loaded = stderr.match(/^file:.*$/gm) ?? []
  expect(loaded.length).toBeGreaterThan(1)
  const sizeBytes = loaded.reduce((sum, url) => sum + fs.statSync(new URL(url)).size, 0)
  // openpgp alone would make it more.
  expect(sizeBytes).toBeLessThan(1_200_000)
})

it('the threads that fill segments start from it, and fill', () => {
  const tree = path.join(path.dirname(folder), 'content')
  fs.writeFileSync(tree, 'content')
  const group = {
    kind: 'whole',
    members: [{ tar: { type: 'file', name: './content', mode: 0o644, sizeBytes: 7 }, source: tree }],
    tarSizeBytes: 1024,
  }
  const settings = { mtimeSeconds: 1, withMd5: true, codec: { name: 'zstd', level: 3, encoder: 'zstd' } }
  const program = `
    const { Worker } = await import('node:worker_threads')
    const file = import.meta.resolve('#fill-thread')
    const worker = new Worker(new URL(file), { workerData: { buffers: [new SharedArrayBuffer(1 << 20)] } })
    worker.postMessage({ kind: 'settings', settings: ${JSON.stringify(settings)} })
    worker.postMessage({ kind: 'group', index: 0, json: ${JSON.stringify(JSON.stringify(group))} })
    const [report] = await (await import('node:events')).once(worker, 'message')
    process.stdout.write(JSON.stringify(report.segment.sums.md5s ?? report))
    await worker.terminate()`
  const script = path.join(folder, 'parts', 'start-thread.js')
  fs.writeFileSync(script, program)
  const ended = spawnSync(process.execPath, [script], { encoding: 'utf8' })
  fs.rmSync(script)
  expect(ended.stderr).toBe('')
  expect(JSON.parse(ended.stdout)).toEqual(['9a0364b9e99bb480dd25e1f0284c8555'])
})

it('the threads that digest files start from it, and digest', () => {
  const file = path.join(path.dirname(folder), 'digested')
  fs.writeFileSync(file, 'content')
  const program = `
    const { Worker } = await import('node:worker_threads')
    const worker = new Worker(new URL(import.meta.resolve('#digest-thread')))
    worker.postMessage({ files: [${JSON.stringify(file)}] })
    const [report] = await (await import('node:events')).once(worker, 'message')
    process.stdout.write(JSON.stringify(report.answer))
    await worker.terminate()`
  const script = path.join(folder, 'parts', 'start-thread.js')
  fs.writeFileSync(script, program)
  const ended = spawnSync(process.execPath, [script], { encoding: 'utf8' })
  fs.rmSync(script)
  expect(ended.stderr).toBe('')
  expect(JSON.parse(ended.stdout)).toEqual([{ sizeBytes: 7, digest: digestOf('content') }])
})

it('a whole command runs from it, dependencies with native parts of Node included', () => {
  const made = run('release.js', 'init', 'repository', '--keys', 'keys', '--application', 'notes', '--json')
  expect(made.stderr).toBe('')
  const last = JSON.parse(made.stdout.trim().split('\n').at(-1)!)
  expect(last).toMatchObject({ kind: 'run-done', changed: true })
})

it('tells the licence of everything that is in it', () => {
  const notices = fs.readFileSync(path.join(folder, 'THIRD-PARTY.txt'), 'utf8')
  for (const name of Object.keys(description.dependencies)) expect(notices).toContain(`\n${name} `)
})

it('says so when its Node is too old', () => {
  const old = "Object.defineProperty(process.versions, 'node', { value: '20.20.2' })"
  const file = path.join(folder, 'cutover.js')
  const ended = spawnSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(old)}`, file], {
    encoding: 'utf8',
  })
  expect(ended).toMatchObject({ status: 2, stdout: '' })
  expect(ended.stderr).toMatch(/^error: Node 20\.20\.2 is too old, 24\.15 or newer is needed\nhint: /)
})
