import { execFile, execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'
import { needTool } from './tools.ts'

/** A podman with storage of its own. */
export interface Podman {
  /** Run a command in the folder. An image has the path that it is pulled from as its name, so that it has to be in lower case. */
  readonly run: (...args: readonly string[]) => string
  /** The same while this process goes on: it may be what podman asks. */
  readonly start: (...args: readonly string[]) => Promise<string>
}

/**
 * Make a podman that keeps everything below a folder, until the test file ends.
 *
 * Its limits are low and its runtime is runc, where there is one: both work on machines on which the defaults do not.
 */
export function openPodman(cwd: string): Podman {
  const folder = path.join(cwd, 'podman')
  fs.mkdirSync(folder, { recursive: true })
  const configuration = path.join(folder, 'containers.conf')
  const runtime = needTool('runc') ? '[engine]\nruntime = "runc"\n' : ''
  const limits = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
  fs.writeFileSync(configuration, `${limits}${runtime}`)
  const places = ['--root', path.join(folder, 'storage'), '--runroot', path.join(folder, 'run')]
  const flags = [...places, '--tmpdir', path.join(folder, 'tmp'), '--cgroup-manager', 'cgroupfs']
  const env = { ...process.env, CONTAINERS_CONF: configuration, XDG_RUNTIME_DIR: path.join(folder, 'run') }
  const argv = (args: readonly string[]) => [...flags, '--events-backend', 'none', ...args]
  const run = (...args: readonly string[]) =>
    execFileSync('podman', argv(args), { cwd, env, encoding: 'utf8', stdio: 'pipe' })
  const start = async (...args: readonly string[]) =>
    (await promisify(execFile)('podman', argv(args), { cwd, env, encoding: 'utf8' })).stdout
  afterAll(() => {
    // What it mounted keeps the folder from being removed.
    spawnSync('podman', [...flags, 'system', 'reset', '--force'], { env, stdio: 'ignore' })
  })
  return { run, start }
}
