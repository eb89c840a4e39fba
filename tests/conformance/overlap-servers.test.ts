import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { takeLock } from '../../src/sys/lock.ts'
import { isLong } from '../support/kill-points.ts'
import { startLoad } from '../support/load.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { type Serving, startServing, toyPrefix, until } from '../support/toy-prefix.ts'

const support = path.join(import.meta.dirname, '..', 'support')
const gunicorn = needTool('gunicorn')
const uwsgi = ['uwsgi', '--plugin=python3', '--protocol=http11', '--socket=127.0.0.1:${port}', '--module=handed-app']

/** Servers of applications as most are run: what they do to idle connections when they end does not reach a client. */
const servers = [
  ['node', true, [process.execPath, path.join(support, 'toy-app.ts')]],
  ['gunicorn', gunicorn, ['gunicorn', '--bind=127.0.0.1:${port}', 'handed-app:application']],
  ['gunicorn, threads', gunicorn, ['gunicorn', '--bind=127.0.0.1:${port}', '--threads=32', 'handed-app:application']],
  ['uvicorn', needTool('uvicorn'), ['uvicorn', '--port=${port}', '--no-access-log', 'handed-app:asgi']],
  ['uwsgi', needTool('uwsgi', 'uwsgi_python3'), [...uwsgi, '--master', '--die-on-term', '--processes=12']],
] as const

const switches = isLong ? 10 : 1

describe.concurrent('servers behind a proxy, from version to version side by side', () => {
  for (const [name, isHere, command] of servers.filter(([name]) => isLong || name === 'uvicorn')) {
    it.skipIf(!isHere)(`${name}: no request fails, nobody waits`, async () => {
      const environment = {
        VERSION: '${version}',
        PORT: '${port}',
        PYTHONPATH: support,
        PYTHONDONTWRITEBYTECODE: '1',
      }
      const prefix = toyPrefix(tempFolder(), { mode: 'proxy', service: { command, environment } })
      for (const version of ['1.0.0', '2.0.0']) prefix.addRelease(version)
      prefix.switchTo('1.0.0')
      const serving = await startServing(prefix.root)
      try {
        await until(async () => (await fetch(serving.url)).ok)
        using _installer = await takeLock(prefixPaths(prefix.root).lock, { command: 'test' })
        const waitedBefore = await waited(serving)
        const load = startLoad(serving.url, 8)
        for (let count = 0; count < switches; count += 1)
          await switchTo(serving, count % 2 === 0 ? ['1.0.0', '2.0.0'] : ['2.0.0', '1.0.0'])
        const report = await load.stop()
        expect(report.failures).toEqual([])
        expect(report.versions.toSorted()).toEqual(['1.0.0', '2.0.0'])
        expect(await waited(serving)).toBe(waitedBefore)
      } finally {
        expect(await serving.end('SIGTERM')).toBe(0)
      }
    })
  }
})

async function switchTo({ client }: Serving, [from, version]: readonly [string, string]): Promise<void> {
  await client.request({ kind: 'start-beside', version })
  await until(async () => (await client.request({ kind: 'probe', version })).result?.ok)
  await client.request({ kind: 'promote', version })
  const { result } = await client.request({ kind: 'retire', version: from, timeoutMs: 5000, streamsMs: 100 })
  expect(result).toMatchObject({ ok: true })
}

/** How many were held or turned away so far; the first start may hold one. */
async function waited({ client }: Serving): Promise<number> {
  const { held, backedOff } = (await client.request({ kind: 'status' })).status.counters
  return held + backedOff
}
