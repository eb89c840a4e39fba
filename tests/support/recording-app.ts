import net from 'node:net'

/** A request as the application saw it. */
export interface SeenRequest {
  readonly method: string
  readonly target: string
  /** Name in lower case and value, in their order. */
  readonly fields: readonly (readonly [string, string])[]
  readonly body: string
  readonly trailers: readonly (readonly [string, string])[]
}

/** An application that writes down what it is asked, and answers each request with `ok`. */
export interface RecordingApp {
  readonly port: number
  readonly seen: SeenRequest[]
  /** What no strict reader would have taken for a request. */
  readonly faults: string[]
  /** How many connections ended in the middle of a request. */
  readonly cut: () => number
  readonly forget: () => void
  readonly close: () => void
}

/** A reader of one connection. It knows one way only to read each thing, and calls all else a fault: whoever stands before it must have been as strict. */
class Reader {
  readonly #app: Pick<RecordingApp, 'seen' | 'faults'>
  #rest = ''

  constructor(app: Pick<RecordingApp, 'seen' | 'faults'>) {
    this.#app = app
  }

  get isBetween(): boolean {
    return this.#rest === ''
  }

  /** Read on. Post: how many requests are whole now; undefined after a fault. */
  read(bytes: string): number | undefined {
    this.#rest += bytes
    for (let count = 0; ; count += 1) {
      const read = readRequest(this.#rest)
      if (read === undefined) return count
      if (typeof read === 'string') {
        this.#app.faults.push(`${read}: ${JSON.stringify(this.#rest.slice(0, 500))}`)
        return undefined
      }
      this.#rest = this.#rest.slice(read.end)
      this.#app.seen.push(read.request)
    }
  }
}

type Read = { readonly request: SeenRequest; readonly end: number } | string | undefined

function readRequest(text: string): Read {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const [line = '', ...lines] = text.slice(0, headEnd).split('\r\n')
  const start = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/1\.[01]$/.exec(line)
  if (start === null) return 'no request line'
  const fields = readFields(lines)
  if (fields === undefined) return 'no fields'
  const valuesOf = (name: string) => fields.filter(field => field[0] === name).map(field => field[1])
  if (valuesOf('host').length !== 1) return 'not one Host'
  const [lengths, codings] = [valuesOf('content-length'), valuesOf('transfer-encoding')]
  if (lengths.length + codings.length > 1) return 'two framings'
  const from = headEnd + 4
  const request = { method: start[1]!, target: start[2]!, fields, body: '', trailers: [] }
  if (codings.length === 1) {
    if (codings[0]!.toLowerCase() !== 'chunked') return 'a coding'
    return readChunks(text, from, request)
  }
  const length = lengths[0] ?? '0'
  if (!/^(?:0|[1-9]\d*)$/.test(length)) return 'a length'
  const end = from + Number(length)
  return text.length < end ? undefined : { request: { ...request, body: text.slice(from, end) }, end }
}

function readChunks(text: string, from: number, request: SeenRequest): Read {
  let at = from
  let body = ''
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = /^[0-9a-fA-F]{1,8}$/.exec(text.slice(at, lineEnd))
    if (size === null) return 'a chunk'
    const sizeBytes = Number.parseInt(size[0], 16)
    at = lineEnd + 2
    if (sizeBytes === 0) break
    if (text.length < at + sizeBytes + 2) return undefined
    if (text.slice(at + sizeBytes, at + sizeBytes + 2) !== '\r\n') return 'the end of a chunk'
    body += text.slice(at, at + sizeBytes)
    at += sizeBytes + 2
  }
  if (text.startsWith('\r\n', at)) return { request: { ...request, body }, end: at + 2 }
  const end = text.indexOf('\r\n\r\n', at)
  if (end < 0) return undefined
  const trailers = readFields(text.slice(at, end).split('\r\n'))
  return trailers === undefined ? 'trailers' : { request: { ...request, body, trailers }, end: end + 4 }
}

function readFields(lines: readonly string[]): (readonly [string, string])[] | undefined {
  const fields: (readonly [string, string])[] = []
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/.exec(line)
    if (field === null) return undefined
    fields.push([field[1]!.toLowerCase(), field[2]!])
  }
  return fields
}

/** Start such an application on a port of this machine. */
export async function recordingApp(): Promise<RecordingApp> {
  const seen: SeenRequest[] = []
  const faults: string[] = []
  const sockets = new Set<net.Socket>()
  let cut = 0
  const server = net.createServer(socket => {
    const reader = new Reader({ seen, faults })
    sockets.add(socket)
    socket.on('data', bytes => {
      const count = reader.read(bytes.toString('latin1'))
      if (count === undefined) socket.destroy()
      else for (let each = 0; each < count; each += 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
      if (!reader.isBetween) cut += 1
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    seen,
    faults,
    cut: () => cut,
    forget: () => {
      seen.length = 0
      faults.length = 0
    },
    close: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
