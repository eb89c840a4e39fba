import { expect, it } from 'vitest'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { takeLock } from '../../src/sys/lock.ts'
import { identifyProcess, isProcessRunning } from '../../src/sys/process.ts'
import { rawClient } from '../support/raw-client.ts'
import { tempFolder } from '../support/temp.ts'
import { type Serving, startServing, type ToyPrefix, toyPrefix, until } from '../support/toy-prefix.ts'

it('leaves what is in flight where it is, has everything else go to the new version, and ends streams in good order', async () => {
  await withServing(async ({ serving, prefix }) => {
    const { client, port } = serving
    using _installer = await takeLock(prefixPaths(prefix.root).lock, { command: 'test' })
    await besideIsHealthy(serving)
    const [idle, upload, events, tunnel] = await Promise.all([1, 2, 3, 4].map(() => rawClient(port)))
    idle!.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await idle!.has('"version":"1.0.0"')
    upload!.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello')
    events!.send('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
    await events!.has('data: 1.0.0 1')
    tunnel!.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await tunnel!.has('101 Switching Protocols')
    await until(async () => (await client.request({ kind: 'status' })).status.counters.inFlight === 1)

    await client.request({ kind: 'promote', version: '1.1.0' })
    idle!.send('GET /again HTTP/1.1\r\nHost: a\r\n\r\n')
    await idle!.has('"version":"1.1.0"')
    tunnel!.send('ping')
    await tunnel!.has('ping')
    const { status } = await client.request({ kind: 'status' })
    expect(status).toMatchObject({ version: '1.1.0', beside: { version: '1.0.0' } })

    const retired = client.request({ kind: 'retire', version: '1.0.0', timeoutMs: 5000, streamsMs: 10 })
    expect(await events!.has('0\r\n\r\n')).not.toContain('data: 1.1.0')
    await tunnel!.ended
    upload!.send('world')
    expect(await upload!.has('"bytes":10')).toContain('"version":"1.0.0"')
    expect((await retired).result).toMatchObject({ ok: true, evidence: expect.stringContaining('2 streams ended') })
    expect((await client.request({ kind: 'status' })).status.beside).toBeUndefined()
    for (const { socket } of [idle!, upload!, events!, tunnel!]) socket.destroy()
  })
})

it('lets go of a version whose installer has died', async () => {
  await withServing(async ({ serving }) => {
    await besideIsHealthy(serving)
    const { status } = await until(async () => {
      const answer = await serving.client.request({ kind: 'status' })
      return answer.status.beside === undefined && answer
    })
    expect(status).toMatchObject({ version: '1.0.0', services: [{ name: 'web', state: 'running' }] })
    await expect(serving.client.request({ kind: 'promote', version: '1.1.0' })).rejects.toMatchObject({
      code: 'OVERLAP_LOST',
    })
  })
})

it('begins again with one version after a kill, and ends both that it left', async () => {
  await withServing(async ({ serving, prefix }) => {
    using _installer = await takeLock(prefixPaths(prefix.root).lock, { command: 'test' })
    await besideIsHealthy(serving)
    const { status } = await serving.client.request({ kind: 'status' })
    const left = [...status.services, ...status.beside!.services].map(({ pid }) => identifyProcess(pid!)!)
    expect(left.every(isProcessRunning)).toBe(true)
    await serving.end('SIGKILL')
    const again = await startServing(prefix.root)
    try {
      const now = (await again.client.request({ kind: 'status' })).status
      expect(now).toMatchObject({ version: '1.0.0', services: [{ name: 'web', state: 'running' }] })
      expect(now.beside).toBeUndefined()
      expect(left.filter(isProcessRunning)).toEqual([])
      // The next one is called as the one before it, which is gone.
      await besideIsHealthy(again)
    } finally {
      await again.end('SIGTERM')
    }
  })
})

it('refuses to run another beside nothing, or a share of clients that is none', async () => {
  await withServing(async ({ serving: { client } }) => {
    await client.request({ kind: 'stop' })
    const asked = client.request({ kind: 'start-beside', version: '1.1.0' })
    await expect(asked).rejects.toMatchObject({ code: 'OVERLAP_UNSUPPORTED' })
    const trial = { kind: 'route', version: '1.1.0', cookie: 'a', cookieSeconds: 1 } as const
    for (const wrong of [{ share: 1.5 }, { share: Number.NaN }, { share: 0.5, cookie: 'a=b;' }])
      await expect(client.request({ ...trial, ...wrong })).rejects.toMatchObject({ code: 'GATE_REQUEST_INVALID' })
  })
})

async function withServing(run: (at: { readonly serving: Serving; readonly prefix: ToyPrefix }) => Promise<void>) {
  const prefix = toyPrefix(tempFolder(), { mode: 'proxy' })
  prefix.addRelease('1.0.0')
  prefix.addRelease('1.1.0')
  prefix.switchTo('1.0.0')
  const serving = await startServing(prefix.root)
  try {
    await until(async () => (await fetch(serving.url)).ok)
    await run({ serving, prefix })
  } finally {
    if (serving.child.exitCode === null && serving.child.signalCode === null)
      expect(await serving.end('SIGTERM')).toBe(0)
  }
}

async function besideIsHealthy({ client }: Serving): Promise<void> {
  await client.request({ kind: 'start-beside', version: '1.1.0' })
  await until(async () => (await client.request({ kind: 'probe', version: '1.1.0' })).result?.ok)
}
