import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

/** A running notes service. */
export interface RunningNotes {
  readonly url: string
  /** Ask it to end; the answer is its exit code. */
  stop(): Promise<number | null>
}

/** Start the notes service of a folder (see fixtures/prepare.ts) on a free port, for the length of a test. */
export async function startNotes(folder: string, dataFolder: string): Promise<RunningNotes> {
  const child = spawn(process.execPath, ['server.js'], {
    cwd: folder,
    env: { ...process.env, PORT: '0', DATA_DIR: dataFolder, ENVIRONMENT: 'production' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = endWithTest(child)
  const complaints = child.stderr.toArray()
  const line = await firstLine(child)
  if (line === undefined) throw new Error(`the service did not start: ${Buffer.concat(await complaints).toString()}`)
  const address = /listens on (\S+)$/.exec(line)?.[1]
  return {
    url: `http://${address}`,
    stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}

/** A listening socket that is handed from one process to the next. */
export interface Handover {
  readonly url: string
  /** Start a process on the socket that is in nobody's hands. */
  start(): Promise<void>
  /** End the process; connections then wait in the socket's queue. The answer is its exit code. */
  stop(): Promise<number>
}

/** Keeps descriptor 3 and never accepts on it: `start` and `stop` one after the other, a line of output for each. */
const holder = `
while read -r verb; do
  sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" server.js' "$0" &
  child=$!
  read -r verb
  kill -TERM "$child"
  wait "$child"
  echo "exit $?"
done
`

/** Open a listening socket for processes of the notes service, for the length of a test. */
export async function handoverNotes(folder: string, dataFolder: string): Promise<Handover> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const { fd } = (server as unknown as { readonly _handle: { readonly fd: number } })._handle
  const child = spawn('/bin/sh', ['-c', holder, process.execPath], {
    cwd: folder,
    env: { ...process.env, DATA_DIR: dataFolder, ENVIRONMENT: 'production' },
    stdio: ['pipe', 'pipe', 'inherit', fd],
    // Its own process group, so that the service ends with it.
    detached: true,
  })
  void endWithTest(child)
  // The holder has the socket now: ours must not accept.
  server.close()
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const say = async (verb: string): Promise<string> => {
    child.stdin!.write(`${verb}\n`)
    const { value } = await lines.next()
    return String(value)
  }
  return {
    url: `http://127.0.0.1:${port}`,
    async start() {
      const line = await say('start')
      if (!line.includes('listens on')) throw new Error(`expected the service to listen, it said: ${line}`)
    },
    stop: async () => Number((await say('stop')).replace('exit ', '')),
  }
}

async function endWithTest(child: ChildProcess): Promise<number | null> {
  onTestFinished(() => {
    if (child.exitCode !== null || child.signalCode !== null) return
    if (child.spawnargs.includes(holder)) process.kill(-child.pid!, 'SIGKILL')
    else child.kill('SIGKILL')
  })
  const [exitCode] = await once(child, 'exit')
  return exitCode as number | null
}

async function firstLine(child: ChildProcess): Promise<string | undefined> {
  for await (const line of createInterface({ input: child.stdout! })) return line
  return undefined
}
