import { ReleaseError } from '../core/error.ts'
import { formatBytes } from '../core/quantity.ts'
import { parseAddress } from '../gate/front/address.ts'
import { readDescription } from '../repository/description.ts'
import { answerRepository } from '../repository/serve/answer.ts'
import { openDirectory } from '../repository/targets/directory.ts'
import { ServedFolder } from '../sys/served-folder.ts'
import { type ServedRequest, startServer } from '../sys/static-server.ts'
import { describeTransfer } from './image-registry.ts'
import { findClone, type PublisherOptions, repositoryFolder } from './publisher.ts'
import type { FlowTools } from './tools.ts'

/** What to serve, and where. */
export interface RepositoryServeOptions extends PublisherOptions {
  /** `HOST:PORT`; port 0 lets the system choose. */
  readonly listen: string
}

/** How long downloads that are on their way may take to end. */
const graceMs = 10_000

/**
 * Serve a repository over HTTP, as files and as a registry of images, until the signal comes.
 *
 * Post: the first `note` holds the address; downloads that were on their way then had ten seconds. Errors: REPOSITORY_UNKNOWN, LISTEN_FAILED, GATE_ADDRESS_INVALID, USAGE.
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
  const total = { requests: 0, sizeBytes: 0 }
  const server = await startServer(answerRepository(new ServedFolder(folder)), {
    host: address.host,
    port: address.port,
    onRequest: request => {
      total.requests += 1
      total.sizeBytes += request.sizeBytes
      tools.emit({ kind: 'output', step: 'serve', stream: 'stdout', line: describeRequest(request) })
    },
  })
  tools.emit({ kind: 'note', message: `serving ${name} from ${folder} at ${server.url}` })
  await ended(tools.signal)
  await server.close({ graceMs })
  tools.emit({
    kind: 'run-done',
    command: 'serve',
    changed: false,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: `${total.requests} requests were answered, with ${formatBytes(total.sizeBytes)}`,
    result: total,
  })
}

/** Shorter answers say nothing of how fast a client reads. */
const leastRatedBytes = 1024 * 1024

function describeRequest({ status, method, path: target, sizeBytes, durationMs }: ServedRequest): string {
  const rate = sizeBytes < leastRatedBytes ? '' : `, ${describeTransfer(sizeBytes, durationMs)}`
  return `${status} ${method} ${target}${rate}`
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}
