import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, onTestFinished, vi } from 'vitest'
import { execute } from '../../src/sys/exec.ts'
import { tempFolder } from './temp.ts'
import { needTool } from './tools.ts'

/** A root file system of Debian that a test may change. */
export interface DebianRoot {
  /** Where it is on this machine. */
  readonly folder: string
  /** Run a command in it with its own view of processes, as in a container that is being built. Returns what it says; both streams. */
  run(...argv: string[]): string
  /** The same while this process goes on: a server in it answers. */
  runBeside(...argv: string[]): Promise<string>
  /** Start its systemd. It is stopped after the test, or after the tests of the file. */
  boot(options?: { readonly until: 'the file is over' }): Promise<BootedRoot>
}

/** A root whose systemd runs. */
export interface BootedRoot {
  run(...argv: string[]): string
}

const mounted: string[] = []
const booted: (() => Promise<void>)[] = []

/** For {@link boot}: until the file is over. */
function atEnd(stop: () => Promise<void>): void {
  booted.push(stop)
}

// Registered when the file is loaded, after that of temp.ts and so called before it.
afterAll(async () => {
  for (const stop of booted.splice(0)) await stop()
  // Detached at once, for a process that is about to end may still be in it.
  for (const folder of mounted.splice(0).reverse()) execFileSync('umount', ['--lazy', folder])
})

const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' }

/** Tell whether roots can be made here: as root, with the tools. Errors: with CI set, what is missing. */
export function needRoots(): boolean {
  const isRoot = process.getuid?.() === 0
  if (!isRoot && process.env['CI']) throw new Error('not root: tests with a root file system of their own need mounts')
  return isRoot && needTool('mmdebstrap', 'systemd-nspawn', 'nsenter', 'unshare', 'mount')
}

/**
 * Make a minimal Debian of this machine's release or another, with systemd, from the mirror that this machine's apt is configured with.
 *
 * It lies in memory; what is returned makes a copy-on-write view of it for a test. Making one takes some ten seconds, so that it is kept
 * for a week, where other tools keep what they can do again.
 */
export function makeDebian(release: string = codename()): () => DebianRoot {
  const folder = tempFolder()
  mount(['-t', 'tmpfs', '-o', 'size=1g,mode=0755', 'debian'], folder)
  const base = path.join(folder, 'base')
  fs.mkdirSync(base)
  execFileSync('tar', [
    '--extract',
    '--file',
    keptDebian(release),
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    '-C',
    base,
  ])
  let count = 0
  return () => {
    const parts = ['upper', 'work', 'root'].map(name => path.join(folder, `case-${count}`, name))
    count += 1
    for (const part of parts) fs.mkdirSync(part, { recursive: true })
    const [upper, work, root] = parts as [string, string, string]
    mount(['-t', 'overlay', '-o', `lowerdir=${base},upperdir=${upper},workdir=${work}`, 'overlay'], root)
    return {
      folder: root,
      run: (...argv) => told('unshare', inRoot(root, argv)),
      runBeside: (...argv) => runBeside(root, argv),
      boot: options => boot(root, options === undefined ? onTestFinished : atEnd),
    }
  }
}

const keptMs = 7 * 24 * 60 * 60 * 1000

/** Find or make the archive of a Debian. */
function keptDebian(release: string): string {
  const folder = path.join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'debian')
  const file = path.join(folder, `${release}.tar`)
  const age = Date.now() - (fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  if (age >= 0 && age < keptMs) return file
  fs.mkdirSync(folder, { recursive: true })
  const options = ['--quiet', '--variant=apt', '--include=systemd,systemd-sysv,dbus', '--dpkgopt=force-unsafe-io']
  const from = release === codename() ? sources() : [`deb [signed-by=${keyring}] ${mirror()} ${release} main`]
  // Whole or not at all: another test may make it at the same time, or be ended while it does.
  const temporary = path.join(folder, `${release}-${process.pid}.tar`)
  execFileSync('mmdebstrap', [...options, release, temporary, ...from], { stdio: 'pipe' })
  fs.renameSync(temporary, file)
  return file
}

function mount(what: readonly string[], folder: string): void {
  execFileSync('mount', [...what, folder])
  mounted.push(folder)
}

function codename(): string {
  return /^VERSION_CODENAME=(\w+)$/m.exec(fs.readFileSync('/etc/os-release', 'utf8'))![1]!
}

/** The distribution's own sources, not those that were added to this machine. */
function sources(): readonly string[] {
  const files = ['sources.list', 'sources.list.d/debian.sources', 'sources.list.d/ubuntu.sources']
  return files
    .map(file => path.join('/etc/apt', file))
    .filter(file => fs.existsSync(file) && fs.statSync(file).size > 0)
}

/** The keys of all releases of Debian that are still maintained. */
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Where the distribution's own sources are fetched from. */
function mirror(): string {
  const text = sources()
    .map(file => fs.readFileSync(file, 'utf8'))
    .join('\n')
  return /^(?:URIs:|deb(?: \[.*\])?) *(https?:\S+)/m.exec(text)?.[1] ?? fail('apt has no source of the distribution')
}

async function runBeside(root: string, argv: readonly string[]): Promise<string> {
  const { stdout, stderr } = await execute(['unshare', ...inRoot(root, argv)], { environment, timeoutMs: 60_000 })
  return `${stdout}\n${stderr}`
}

function inRoot(root: string, argv: readonly string[]): readonly string[] {
  return ['--mount', '--pid', '--fork', `--mount-proc=${path.join(root, 'proc')}`, 'chroot', root, ...argv]
}

/** What a command says, complaints included, for it to be compared or shown. */
function told(file: string, argv: readonly string[]): string {
  const shell = ['-c', 'exec "$0" "$@" 2>&1', file, ...argv]
  const { status, stdout } = spawnSync('sh', shell, { env: environment, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}:\n${stdout}`)
  return stdout
}

async function boot(root: string, whenOver: (stop: () => Promise<void>) => void): Promise<BootedRoot> {
  const options = ['--register=no', '--keep-unit', '--private-network', '--console=pipe', '--boot']
  const container = spawn('systemd-nspawn', ['--quiet', '--directory', root, ...options], { stdio: 'ignore' })
  whenOver(() => stop(container))
  return vi.waitFor(
    () => {
      // Its first child is gone once the one that becomes the container's first process is there.
      const leader = childOf(container.pid!)
      const run = (...argv: string[]) =>
        told('nsenter', ['--target', leader, '--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup', ...argv])
      const state = run('sh', '-c', 'systemctl is-system-running || true').trim()
      if (state !== 'running' && state !== 'degraded') throw new Error(`systemd is ${state}`)
      return { run }
    },
    { timeout: 60_000, interval: 100 },
  )
}

function childOf(parent: number): string {
  return fs.readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')[0] || fail('no child yet')
}

function fail(reason: string): never {
  throw new Error(reason)
}

async function stop(container: ChildProcess): Promise<void> {
  if (container.exitCode !== null) return
  const exited = once(container, 'exit')
  container.kill('SIGTERM')
  await exited
}
