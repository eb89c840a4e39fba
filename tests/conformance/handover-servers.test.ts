import http from 'node:http'
import { describe, expect, it } from 'vitest'
import { type HandedServer, handedServers } from '../support/handed-servers.ts'
import { isLong } from '../support/kill-points.ts'
import { type LoadReport, startLoad } from '../support/load.ts'
import { tempFolder } from '../support/temp.ts'
import { type Serving, startServing, toyPrefix, until, upgrade } from '../support/toy-prefix.ts'

const switches = isLong ? 6 : 1
const clients = 4

/** A connection that a server closes while a request is on its way there, as a client sees it. */
const lost = /^(GET|POST): (socket hang up|read ECONNRESET|write EPIPE|write ECONNRESET) /

describe.concurrent('servers that are given the public socket', () => {
  for (const server of handedServers.filter(each => isLong || each.isSample)) {
    it.skipIf(!server.isHere)(`${server.name}: from version to version under load`, async () => {
      const { each, kept, slow } = await underLoad(server)
      expect(slow).toEqual({ status: 200, version: '1.0.0' })
      expect(each.answered).toBeGreaterThan(0)
      expect(each.versions.toSorted()).toEqual(['1.0.0', '2.0.0'])
      if (server.kept === 'finished' || server.kept === 'none') {
        expect(each.failures).toEqual([])
        expect(kept.failures).toEqual([])
        return
      }
      // What is promised is no more than this: each connection that is open at a switch may fail one request, and nothing else fails.
      for (const report of [each, kept]) {
        expect(report.failures.filter(failure => !lost.test(failure))).toEqual([])
        expect(report.failures.length).toBeLessThanOrEqual(clients * switches)
      }
    })
  }
})

interface Met {
  /** Clients that make a connection for each request. */
  readonly each: LoadReport
  /** Clients that keep theirs. */
  readonly kept: LoadReport
  /** A request that was in flight when the first switch began. */
  readonly slow: { readonly status: number; readonly version: string }
}

async function underLoad(server: HandedServer): Promise<Met> {
  const prefix = toyPrefix(tempFolder(), { mode: 'handover', service: server.service })
  for (const version of ['1.0.0', '2.0.0']) prefix.addRelease(version)
  prefix.switchTo('1.0.0')
  const serving = await startServing(prefix.root)
  try {
    await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
    const slow = get(`${serving.url}/slow?ms=500`)
    const each = startLoad(serving.url, clients, 'one for each request')
    const kept = startLoad(serving.url, clients, 'kept')
    for (let count = 0; count < switches; count += 1) {
      await upgrade(serving, prefix, count % 2 === 0 ? '2.0.0' : '1.0.0')
      await released(serving)
    }
    return { each: await each.stop(), kept: await kept.stop(), slow: await slow }
  } finally {
    expect(await serving.end('SIGTERM')).toBe(0)
  }
}

/** Wait until nobody is held any more, so that the next switch begins anew. */
async function released(serving: Serving): Promise<void> {
  await until(async () => {
    const { counters } = (await serving.client.request({ kind: 'status' })).status
    return counters.held > 0 && counters.heldNow === 0
  })
}

function get(url: string): Promise<{ readonly status: number; readonly version: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false }, response => {
      response.resume()
      response.once('end', () =>
        resolve({ status: response.statusCode!, version: String(response.headers['x-version']) }),
      )
    })
    request.once('error', reject)
  })
}
