import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { repositoryRoot } from './sources.ts'

/** What a gate takes, and how many requests it has had. */
export interface GateMemory {
  readonly rssBytes: number
  readonly heapBytes: number
  readonly requests: number
}

/** A gate that runs in a process of its own. */
export interface GateProcess {
  readonly port: number
  /** What its process takes, after what is not needed any more was given back. */
  readonly memory: () => Promise<GateMemory>
  readonly close: () => Promise<void>
}

/** Start a gate before the application on a port. */
export async function startGateProcess(appPort: number): Promise<GateProcess> {
  const child = fork(path.join(repositoryRoot, 'tests/support/gate-child.ts'), [String(appPort)], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const { port } = await message<{ port: number }>(child)
  return {
    port,
    memory: async () => {
      child.send('memory')
      return message(child)
    },
    close: async () => {
      const ended = once(child, 'close')
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function message<Message>(child: ChildProcess): Promise<Message> {
  const [told] = await once(child, 'message')
  return told
}

/** Open connections that each have had an answer and wait. Post: all are open. */
export async function openIdle(port: number, count: number): Promise<readonly net.Socket[]> {
  const sockets: net.Socket[] = []
  const batch = 200
  while (sockets.length < count) {
    const left = Math.min(batch, count - sockets.length)
    sockets.push(...(await Promise.all(Array.from({ length: left }, () => openOne(port)))))
  }
  return sockets
}

function openOne(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1' })
    socket.once('error', reject)
    socket.once('data', () => resolve(socket))
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  })
}
