import http from 'node:http'
import { text } from 'node:stream/consumers'
import { ReleaseError, toReleaseError } from '../core/error.ts'

/** What a call came back with: the members of a structure or of a fault, as texts; nothing for other values. */
export type RpcAnswer =
  | { readonly kind: 'done'; readonly members: Readonly<Record<string, string>> }
  | { readonly kind: 'fault'; readonly code: number; readonly message: string }

const largestAnswerBytes = 1024 * 1024

/**
 * Call a method of an XML-RPC server on a unix socket.
 *
 * Shape: parameters are texts and truth values; of the answer only the members of a flat structure are read. Errors:
 * SERVICE_MANAGER_FAILED (nobody there, no answer in time, not XML-RPC). Source: XML-RPC specification, 1999.
 */
export async function callRpc(
  socketPath: string,
  method: string,
  parameters: readonly (string | boolean)[],
  timeoutMs: number,
): Promise<RpcAnswer> {
  const values = parameters.map(value => `<param><value>${writeValue(value)}</value></param>`).join('')
  const body = `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${values}</params></methodCall>`
  try {
    return readAnswer(await post(socketPath, body, timeoutMs))
  } catch (caught) {
    const { message } = toReleaseError(caught)
    throw new ReleaseError('SERVICE_MANAGER_FAILED', `${method} at ${socketPath}: ${message}`, { cause: caught })
  }
}

function post(socketPath: string, body: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const headers = { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) }
    const request = http.request(
      { socketPath, path: '/RPC2', method: 'POST', headers, agent: false, signal },
      response => {
        let sizeBytes = 0
        response.on('data', (piece: Buffer) => {
          sizeBytes += piece.length
          if (sizeBytes > largestAnswerBytes) response.destroy(new Error(`more than ${largestAnswerBytes} bytes`))
        })
        text(response).then(
          answer =>
            response.statusCode === 200 ? resolve(answer) : reject(new Error(`status ${response.statusCode}`)),
          reject,
        )
      },
    )
    request.once('error', reject)
    request.end(body)
  })
}

function writeValue(value: string | boolean): string {
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`
  return `<string>${value.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</string>`
}

const member = /<name>(\w+)<\/name>\s*<value>\s*(?:<(?:string|int|i4|boolean|double)>)?([^<]*)/g
const entities: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&apos;': "'",
  '&amp;': '&',
}

function readAnswer(answer: string): RpcAnswer {
  if (!answer.includes('<methodResponse>')) throw new Error('no XML-RPC answer')
  const members = Object.fromEntries(
    [...answer.matchAll(member)].map(([, name = '', value = '']) => [
      name,
      value.replaceAll(/&(?:lt|gt|quot|apos|amp);/g, entity => entities[entity]!),
    ]),
  )
  if (!answer.includes('<fault>')) return { kind: 'done', members }
  return { kind: 'fault', code: Number(members['faultCode']), message: members['faultString'] ?? '' }
}
