import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { bundle } from '../../scripts/lib/bundle.ts'
import { digestOf } from '../../src/core/digest.ts'
import type { Event } from '../../src/core/event.ts'
import { type KillPoint, pointsOf } from './kill-points.ts'
import { type MadeRepository, repositoryIn } from './made-repository.ts'
import type { Order } from './publisher-victim.ts'
import { tempFolder } from './temp.ts'

const hook = path.join(import.meta.dirname, 'kill-at-operation.mjs')

/** How a publisher in a process of its own ended. */
export interface PublisherEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly events: readonly Event[]
  readonly stderr: string
}

/** A command to publish with, apart from where. */
export type Work =
  | { readonly command: 'upload'; readonly version: string }
  | { readonly command: 'promote'; readonly version: string; readonly channel: string }
  | { readonly command: 'prune'; readonly keep: number }

/** Publishes in processes, all with one clock. */
export interface Publishers {
  readonly run: (repository: MadeRepository, work: Work, options?: RunOptions) => Promise<PublisherEnd>
  /** List every operation of a command by doing it. */
  readonly record: (repository: MadeRepository, work: Work) => Promise<readonly KillPoint[]>
}

/** How a publisher is run. */
export interface RunOptions {
  readonly killAt?: KillPoint
  /** Later than the others by so much. */
  readonly laterMs?: number
  /** For how long it waits for others. */
  readonly waitMs?: number
}

/** Make ready to publish in processes. They are bundled once, for each is to start fast. */
export async function publishersAt(nowMs: number): Promise<Publishers> {
  const folder = path.join(tempFolder(), 'built')
  await bundle({ victim: path.join(import.meta.dirname, 'publisher-victim.ts') }, folder)
  const program = path.join(folder, 'victim.js')
  const start = (
    repository: MadeRepository,
    work: Work,
    { hooks, environment, laterMs = 0, waitMs }: Starting & RunOptions,
  ) => {
    const order = { ...orderOf(repository, work, waitMs), nowMs: nowMs + laterMs } as Order
    const argv = [...hooks.flatMap(file => ['--import', file]), program, JSON.stringify(order)]
    return ended(argv, { ...process.env, ...environment })
  }
  return {
    run: (repository, work, options = {}) => {
      const { killAt } = options
      if (killAt === undefined) return start(repository, work, { hooks: [], environment: {}, ...options })
      const environment = { KILL_AT: `${killAt.step}:${killAt.operation}` }
      return start(repository, work, { hooks: [hook], environment, ...options })
    },
    record: async (repository, work) => {
      const file = path.join(tempFolder(), 'operations')
      const end = await start(repository, work, { hooks: [hook], environment: { OPERATIONS: file } })
      if (end.exitCode !== 0) throw new Error(end.stderr)
      return pointsOf(fs.readFileSync(file, 'utf8'))
    },
  }
}

interface Starting {
  readonly hooks: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

function orderOf({ folder, keys, distFolder }: MadeRepository, work: Work, waitMs: number | undefined): object {
  const common = {
    cwd: path.dirname(folder),
    environment: { PATH: process.env['PATH'] },
    repository: folder,
    keys,
    ...(waitMs === undefined ? {} : { waitMs }),
  }
  const { command, ...rest } = work
  switch (work.command) {
    case 'upload':
      return { command, options: { ...common, ...rest, distFolder, remote: 'origin', planOnly: false } }
    case 'promote':
      return { command, options: { ...common, ...rest, application: 'notes' } }
    case 'prune':
      return { command, options: { ...common, ...rest, application: 'notes', apply: true } }
  }
}

function ended(argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<PublisherEnd> {
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'], env: environment })
  const texts = { stdout: '', stderr: '' }
  child.stdout.on('data', piece => {
    texts.stdout += piece
  })
  child.stderr.on('data', piece => {
    texts.stderr += piece
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, signal) => {
      // The last line of one that was killed may be torn.
      const lines = texts.stdout.split('\n').slice(0, -1)
      resolve({ exitCode, signal, stderr: texts.stderr, events: lines.map(line => JSON.parse(line) as Event) })
    })
  })
}

/** Copy a repository with its keys and releases, so that each case starts from the same. */
export function copyRepository(repository: MadeRepository): MadeRepository {
  const base = tempFolder()
  const { dir } = path.parse(repository.folder)
  for (const name of ['repository', 'keys', 'dist']) {
    fs.cpSync(path.join(dir, name), path.join(base, name), { recursive: true, preserveTimestamps: true })
  }
  const seen = path.join(base, 'keys', 'seen.json')
  // What the keys have seen is remembered by place.
  fs.writeFileSync(seen, fs.readFileSync(seen, 'utf8').replaceAll(dir, base))
  return repositoryIn(base, repository.fingerprint)
}

/** The digest of everything that a web server could serve, by key: what lies in the hidden folder is nobody's business but publishers'. */
export function servedFiles({ folder }: Pick<MadeRepository, 'folder'>): Readonly<Record<string, string>> {
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const keys = entries.map(entry => path.relative(folder, path.join(entry.parentPath, entry.name)))
  const served = keys.filter(key => !key.startsWith('.cutover/')).toSorted()
  return Object.fromEntries(served.map(key => [key, digestOf(fs.readFileSync(path.join(folder, key)))]))
}
