import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { type ControlClient, connectControl } from '../../src/gate/control/client.ts'
import { controlSocket } from '../../src/gate/control/protocol.ts'
import { prefixPaths, releasePaths } from '../../src/prefix/layout.ts'

const repository = path.join(import.meta.dirname, '..', '..')

export interface ToyPrefix {
  readonly root: string
  /** Put a release in place, as an installation would; `toy` makes its service misbehave. */
  readonly addRelease: (version: string, toy?: string) => void
  /** Make a release the active one. */
  readonly switchTo: (version: string) => void
}

export interface ToyOptions {
  readonly mode: 'proxy' | 'handover'
  /** Merged into the recipe's. */
  readonly gate?: object
  readonly onSocket?: boolean
  /** Instead of what the recipe says of its service. */
  readonly service?: object
}

/** Make a prefix in an empty folder, whose releases run tests/support/toy-app.ts. */
export function toyPrefix(root: string, options: ToyOptions): ToyPrefix {
  const paths = prefixPaths(root)
  for (const folder of [paths.releases, paths.shared, paths.run]) fs.mkdirSync(folder, { recursive: true })
  const identity = {
    schema: 1,
    layout: 1,
    application: 'toy',
    repository: 'file:///nowhere',
    environment: 'production',
    variables: {},
  }
  fs.writeFileSync(paths.identity, JSON.stringify(identity))
  return {
    root,
    addRelease: (version, toy = '') => {
      const release = releasePaths(paths, version)
      fs.mkdirSync(release.metadata, { recursive: true })
      fs.writeFileSync(release.record, '{}')
      fs.writeFileSync(release.recipe, JSON.stringify(recipe(options, toy)))
    },
    switchTo: version => {
      fs.rmSync(paths.current, { force: true })
      fs.symlinkSync(path.join('releases', version), paths.current)
    },
  }
}

function recipe(options: ToyOptions, toy: string): object {
  const place = options.onSocket ? { SOCKET: '${socket}' } : { PORT: '${port}' }
  return {
    schema: 1,
    name: 'toy',
    environments: { production: { variables: {} } },
    node: {
      runtime: { kind: 'none' },
      services: [
        {
          name: 'web',
          command: [process.execPath, path.join(import.meta.dirname, 'toy-app.ts')],
          environment: { VERSION: '${version}', TOY: toy, ...place },
          listens: true,
          stopTimeout: '5s',
          ...options.service,
        },
      ],
      health: { http: { path: '/health', contains: 'version ${version}' }, interval: '20ms', deadline: '5s' },
      gate: { mode: options.mode, listen: '127.0.0.1:0', ...options.gate },
    },
  }
}

export interface Serving {
  readonly child: ChildProcess
  readonly client: ControlClient
  readonly port: number
  readonly url: string
  /** What it wrote, a JSON object per line. */
  readonly output: () => string
  /** End it by a signal. Post: its exit code, or the signal that ended it. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | NodeJS.Signals>
}

/** Run `cutover serve` on a prefix. Post: its control socket answers. */
export function startServing(root: string, ...more: string[]): Promise<Serving> {
  return startServingBy(path.join(repository, 'src', 'bin', 'cutover.ts'), root, ...more)
}

/** The same, by another executable: one that is bundled starts sooner. */
export async function startServingBy(program: string, root: string, ...more: string[]): Promise<Serving> {
  const argv = [program, 'serve', root, '--json', ...more]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const collect = (piece: Buffer) => {
    output += String(piece)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const ended = new Promise<number | NodeJS.Signals>(resolve =>
    child.once('close', (code, signal) => resolve(signal ?? code!)),
  )
  const client = await until(async () => {
    if (child.exitCode !== null) throw new Error(`serve ended early: ${output}`)
    return connectControl(path.join(root, controlSocket))
  })
  const { status } = await client.request({ kind: 'status' })
  const port = Number(status.address.split(':').at(-1))
  return {
    child,
    client,
    port,
    url: `http://127.0.0.1:${port}`,
    output: () => output,
    end: async signal => {
      child.kill(signal)
      return ended
    },
  }
}

/** Ask again and again until there is an answer. */
export async function until<Value>(ask: () => Promise<Value | undefined | false>, timeoutMs = 20_000): Promise<Value> {
  const deadlineMs = performance.now() + timeoutMs
  for (;;) {
    const value = await ask()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadlineMs) throw new Error(`no answer within ${timeoutMs} ms: ${ask}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** What an installer asks of a serving process, in its order. Post: the health that was seen before requests passed. */
export async function upgrade(serving: Serving, prefix: ToyPrefix, version: string): Promise<{ holdMs: number }> {
  const { client } = serving
  const heldFromMs = performance.now()
  await client.request({ kind: 'gate', mode: 'hold', reason: `install ${version}`, deadlineMs: 20_000 })
  await client.request({ kind: 'drain', timeoutMs: 5000, streamsMs: 100 })
  await client.request({ kind: 'stop' })
  prefix.switchTo(version)
  await client.request({ kind: 'start', version })
  await until(async () => (await client.request({ kind: 'probe' })).result?.ok)
  await client.request({ kind: 'gate', mode: 'pass', reason: `installed ${version}` })
  return { holdMs: performance.now() - heldFromMs }
}
