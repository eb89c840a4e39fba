import http from 'node:http'

/** What clients met. */
export interface LoadReport {
  readonly answered: number
  /** Anything but the answer that was expected, in words. */
  readonly failures: readonly string[]
  readonly longestMs: number
  readonly versions: readonly string[]
}

/** Whether a client goes on with its connection, or makes one for each request and says so. */
export type Connections = 'kept' | 'one for each request'

/**
 * Keep clients busy, each with one request at a time, GET and POST in turns, until told to stop.
 *
 * A POST is never sent again: a broken connection is a failure, as it is for people's data.
 */
export function startLoad(
  url: string,
  clients: number,
  connections: Connections = 'kept',
): { readonly stop: () => Promise<LoadReport> } {
  const failures: string[] = []
  const versions = new Set<string>()
  let answered = 0
  let longestMs = 0
  let stopped = false
  // Only one without bounds, which is that of nobody, makes a connection for each request.
  const agent = connections === 'kept' ? new http.Agent({ keepAlive: true, maxSockets: clients }) : false
  const work = async () => {
    for (let count = 0; !stopped; count += 1) {
      const method = count % 2 === 0 ? 'POST' : 'GET'
      const startedMs = performance.now()
      try {
        const { status, version } = await ask(url, method, agent)
        if (status === 200) answered += 1
        else failures.push(`${method}: ${status}`)
        versions.add(version)
      } catch (caught) {
        failures.push(`${method}: ${(caught as Error).message} after ${Math.round(performance.now() - startedMs)} ms`)
      }
      longestMs = Math.max(longestMs, performance.now() - startedMs)
    }
  }
  const workers = Promise.all(Array.from({ length: clients }, work))
  return {
    stop: async () => {
      stopped = true
      await workers
      if (agent !== false) agent.destroy()
      return { answered, failures, longestMs, versions: [...versions] }
    },
  }
}

function ask(url: string, method: string, agent: http.Agent | false): Promise<{ status: number; version: string }> {
  return new Promise((resolve, reject) => {
    const body = method === 'POST' ? 'x'.repeat(2000) : undefined
    const headers = body === undefined ? {} : { 'content-length': body.length }
    const request = http.request(`${url}/echo`, { method, agent, headers }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', piece => {
        text += piece
      })
      response.on('end', () => {
        const isWhole = response.statusCode !== 200 || body === undefined || JSON.parse(text).bytes === body.length
        if (isWhole) resolve({ status: response.statusCode!, version: String(response.headers['x-version']) })
        else reject(new Error('the body did not arrive whole'))
      })
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}
