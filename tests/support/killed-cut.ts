import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { staleWorkspaces } from '../../src/build/workspace.ts'
import type { CommandEnd } from './cutover-cli.ts'
import type { TestRepository } from './git-repository.ts'
import { type KillPoint, pointsOf } from './kill-points.ts'
import { tempFolder } from './temp.ts'
import { until } from './toy-prefix.ts'

const root = path.join(import.meta.dirname, '..', '..')

/** Run `release cut 1.0.0` in a process of its own; with `killAt` it is killed there. */
export async function runCut(repository: TestRepository, killAt?: KillPoint): Promise<CommandEnd> {
  if (killAt === undefined) return run(repository, [], {})
  return run(repository, [hook], { KILL_AT: `${killAt.step}:${killAt.operation}` })
}

/** Cut once without a kill, and list every operation of it. */
export async function recordCut(repository: TestRepository): Promise<readonly KillPoint[]> {
  const file = path.join(tempFolder(), 'operations')
  const end = await run(repository, [hook], { OPERATIONS: file })
  if (end.exitCode !== 0) throw new Error(end.stdout)
  return pointsOf(fs.readFileSync(file, 'utf8'))
}

/** Wait until nothing runs any more that a cut of a repository had started. */
export async function untilNothingRuns(repository: TestRepository): Promise<void> {
  const folders = [repository.folder, ...workspacesOf(repository)]
  await until(async () => !processes().some(process => folders.some(folder => process.includes(folder))), 5000)
}

/** The temporary folders that cuts of a repository left. */
export function workspacesOf(repository: TestRepository): readonly string[] {
  return staleWorkspaces(path.join(repository.folder, '.git')).map(workspace => workspace.root)
}

const hook = path.join(import.meta.dirname, 'kill-at-operation.mjs')

function run(
  repository: TestRepository,
  hooks: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<CommandEnd> {
  const imports = hooks.flatMap(file => ['--import', file])
  const argv = [...imports, path.join(root, 'src', 'bin', 'release.ts'), 'cut', '1.0.0', '--json']
  const child = spawn(process.execPath, argv, {
    cwd: repository.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...repository.environment, ...environment },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', piece => {
    stdout += piece
  })
  child.stderr.on('data', piece => {
    stderr += piece
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (exitCode, signal) => {
      const end = () => resolve({ exitCode, signal, stdout, stderr })
      // What a killed cut had started may hold its streams for longer; of any other, all that it wrote is waited for.
      if (signal === null) child.once('close', end)
      else end()
    })
  })
}

/** Arguments, environment and folder of every process that we may look at. */
function processes(): readonly string[] {
  const numbers = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name) && Number(name) !== process.pid)
  return numbers.map(number => {
    try {
      const texts = ['cmdline', 'environ'].map(name => fs.readFileSync(`/proc/${number}/${name}`, 'latin1'))
      return [...texts, fs.readlinkSync(`/proc/${number}/cwd`)].join('\n')
    } catch {
      // It ended meanwhile, or is not ours.
      return ''
    }
  })
}
