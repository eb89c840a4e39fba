import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { brokenPromises, type LoadReport, startLoad } from '../../../scripts/load/load.ts'
import { spawnLoad } from '../../../scripts/load/spawn.ts'

interface Note {
  readonly id: string
  readonly text: string
}

/** Answers a request wrongly, or says false to leave it alone; `count` is which one of its method it is, from 1. */
type Fault = (request: http.IncomingMessage, response: http.ServerResponse, count: number) => boolean

interface Service {
  readonly url: string
  readonly notes: Note[]
}

/** A notes service that can be told to misbehave. */
async function startService(options: {
  readonly fault?: Fault
  readonly onCreate?: (notes: Note[], note: Note) => void
  readonly eventIds?: (index: number) => number
}): Promise<Service> {
  const notes: Note[] = []
  const streams = new Set<http.ServerResponse>()
  const counts = { GET: 0, POST: 0 }
  let events = 0
  const announce = (note: Note) => {
    const id = options.eventIds?.(events) ?? events + 1
    events += 1
    for (const stream of streams)
      stream.write(`id: ${id}\nevent: created\ndata: ${JSON.stringify({ id: note.id })}\n\n`)
  }
  const server = http.createServer(async (request, response) => {
    if (request.url === '/events') {
      streams.add(response)
      response.write('id: 0\n\n')
      return
    }
    const count = ++counts[request.method as 'GET' | 'POST']
    if (options.fault?.(request, response, count)) return
    if (request.method === 'GET') {
      response.end(JSON.stringify({ notes, next: 0 }))
      return
    }
    const { text } = JSON.parse(Buffer.concat(await request.toArray()).toString()) as Note
    const note = { id: `note-${count}`, text }
    if (options.onCreate === undefined) notes.push(note)
    else options.onCreate(notes, note)
    announce(note)
    response.writeHead(201).end(JSON.stringify(note))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, notes }
}

/** Run a load until so many requests have ended. */
async function loadUntil(url: string, requests: number): Promise<LoadReport> {
  const load = startLoad({ url, readers: 2, writers: 1, slowReaders: 0, pauseMs: 1, timeoutMs: 500 })
  await expect.poll(() => load.snapshot().sent, { timeout: 5000 }).toBeGreaterThan(requests)
  return load.stop()
}

describe('startLoad', () => {
  it('finds nothing wrong with a service that behaves', async () => {
    const { url, notes } = await startService({})
    const report = await loadUntil(url, 60)
    expect(brokenPromises(report)).toEqual([])
    expect(report.answered).toBe(report.sent)
    expect(report.notes).toEqual({ created: notes.length, lost: 0, repeated: 0, unanswered: 0 })
    expect(report.stream.events).toBe(notes.length)
  })

  it('counts wrong statuses and connections that break in an answer as failed', async () => {
    const fault: Fault = (request, response, count) => {
      if (request.method !== 'GET' || count > 40) return false
      if (count % 10 === 0) response.writeHead(500).end()
      else if (count % 10 === 5)
        response.writeHead(200, { 'Content-Length': 10 }).write('half', () => response.destroy())
      else return false
      return true
    }
    const { url } = await startService({ fault })
    const report = await loadUntil(url, 60)
    const reasons = new Set(report.failures.map(failure => failure.reason))
    expect(reasons).toEqual(new Set(['status 500', 'ECONNRESET']))
    expect(report.failed).toBe(report.failures.length)
    expect(report.retried).toBe(0)
  })

  it('counts an answer that does not come as failed', async () => {
    const { url } = await startService({ fault: (request, _, count) => request.method === 'GET' && count === 10 })
    const report = await loadUntil(url, 60)
    expect(report.failures.map(failure => failure.reason)).toEqual(['no answer within 500 ms'])
  })

  it('sends a GET again once, and a POST never, when an idle connection was closed', async () => {
    const fault: Fault = (request, _, count) => {
      if (count !== 5) return false
      request.socket.destroy()
      return true
    }
    const { url, notes } = await startService({ fault })
    const report = await loadUntil(url, 60)
    expect(report.retried).toBe(1)
    expect(report.failures).toMatchObject([{ request: 'POST /notes', reason: 'ECONNRESET' }])
    expect(report.notes).toMatchObject({ created: notes.length, lost: 0 })
  })

  it('counts a gate’s 503 apart, and one without a time to come back as failed', async () => {
    const fault: Fault = (request, response, count) => {
      if (request.method !== 'GET' || count > 40 || count % 10 > 1) return false
      if (count % 10 === 0) response.writeHead(503, { 'Retry-After': '30' }).end('0')
      else response.writeHead(503).end()
      return true
    }
    const { url } = await startService({ fault })
    const report = await loadUntil(url, 60)
    expect(report.backedOff).toBeGreaterThan(0)
    expect(new Set(report.failures.map(failure => failure.reason))).toEqual(new Set(['status 503']))
    expect(report.answered + report.backedOff + report.failed).toBe(report.sent)
  })

  it('notices notes that are lost and notes that are stored twice', async () => {
    let created = 0
    const onCreate = (notes: Note[], note: Note) => {
      created += 1
      if (created === 3) return
      notes.push(note)
      if (created === 5) notes.push({ ...note, id: 'again' })
    }
    const { url } = await startService({ onCreate })
    const report = await loadUntil(url, 60)
    expect(report.notes).toMatchObject({ lost: 1, repeated: 1 })
    expect(brokenPromises(report)).toEqual(['1 notes were lost', '1 notes were stored more than once'])
  })

  it('notices events that are missing and events that come again', async () => {
    const eventIds = (index: number) => (index < 3 ? index + 1 : index < 6 ? index + 3 : index + 2)
    const { url } = await startService({ eventIds })
    const report = await loadUntil(url, 60)
    expect(report.stream).toMatchObject({ missed: 2, repeated: 1, unannounced: 0 })
  })
})

describe('spawnLoad', () => {
  it('runs in a process of its own until it is stopped', async () => {
    const { url, notes } = await startService({})
    const load = spawnLoad({ url, readers: 1, writers: 1, slowReaders: 0 })
    await expect.poll(() => notes.length, { timeout: 5000 }).toBeGreaterThan(3)
    const report = await load.stop()
    expect(report.notes).toMatchObject({ created: notes.length, lost: 0 })
    expect(brokenPromises(report)).toEqual([])
  })
})
