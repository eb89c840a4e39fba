import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { parseAddress } from '../gate/address.ts'
import { readDescription } from '../repository/state.ts'
import { openDirectory } from '../repository/targets/directory.ts'
import { startStaticServer } from '../sys/static-server.ts'
import { findClone, type PublisherOptions, repositoryFolder } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What to serve, and where. */
export interface RepositoryServeOptions extends PublisherOptions {
  /** `HOST:PORT`; port 0 lets the system choose. */
  readonly listen: string
}

/**
 * Serve a repository over HTTP until the signal comes.
 *
 * Post: the first `note` holds the address. Errors: REPOSITORY_UNKNOWN, LISTEN_FAILED, GATE_ADDRESS_INVALID, USAGE.
 */
export async function serveRepository(options: RepositoryServeOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const clone = options.repository === undefined ? await findClone(options, tools) : undefined
  const folder = await repositoryFolder(options, clone)
  const { name } = await readDescription(openDirectory(folder))
  const address = parseAddress(options.listen)
  if (address.kind !== 'tcp') {
    throw new ReleaseError('USAGE', `${options.listen} is a unix socket`, { hint: 'use --listen HOST:PORT' })
  }
  let requests = 0
  const server = await startStaticServer({
    root: path.resolve(folder),
    host: address.host,
    port: address.port,
    onRequest: request => {
      requests += 1
      tools.emit({
        kind: 'output',
        step: 'serve',
        stream: 'stdout',
        line: `${request.status} ${request.method} ${request.path}`,
      })
    },
  })
  tools.emit({ kind: 'note', message: `serving ${name} from ${folder} at ${server.url}` })
  await ended(tools.signal)
  await server.close()
  tools.emit({
    kind: 'run-done',
    command: 'serve',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${requests} requests were answered`,
    result: { requests },
  })
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
