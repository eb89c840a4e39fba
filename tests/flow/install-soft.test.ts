import { expect, it, onTestFinished } from 'vitest'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { currentVersion } from '../../src/prefix/installed.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { startServing, until } from '../support/toy-prefix.ts'
import { servedFiles, servedNode, type ToyInstallation, toyInstallation } from '../support/toy-release.ts'

async function put(toy: ToyInstallation, version: string, softFor: string, tools = recordedTools()) {
  const backoff = { retryAfter: 60 }
  const node = { ...servedNode(), gate: { listen: '127.0.0.1:0', soft: { for: softFor }, backoff } }
  const folder = await toy.cut({ version, node, files: servedFiles })
  return install({ prefix: toy.paths.root, version, resolve: resolveFromFolder(folder) }, tools)
}

it('tells clients to stay away before it holds, and no longer when it is interrupted', async () => {
  const toy = toyInstallation()
  await put(toy, '1.0.0', '0s')
  const { url, client, end } = await startServing(toy.paths.root)
  onTestFinished(async () => void (await end('SIGTERM')))
  await until(async () => (await fetch(url)).ok)
  const shaping = async () => (await client.request({ kind: 'status' })).status.gate.shaping

  const interruption = new AbortController()
  const interrupted = put(toy, '1.1.0', '10m', recordedTools({ signal: interruption.signal })).catch(caught => caught)
  await until(async () => (await shaping())?.kind === 'soft')
  // Requests still pass, and the version before serves them.
  expect((await fetch(url)).headers.get('x-version')).toBe('1.0.0')
  interruption.abort()
  expect(await interrupted).toBeInstanceOf(Error)
  expect(await shaping()).toBeUndefined()
  expect(currentVersion(toy.paths)).toBe('1.0.0')

  const tools = recordedTools()
  await put(toy, '1.2.0', '300ms', tools)
  const steps = tools.events.flatMap(event => (event.kind === 'step-done' ? [event.step] : []))
  expect(steps.slice(steps.indexOf('soften'), steps.indexOf('soften') + 3)).toEqual(['soften', 'hold', 'drain'])
  expect((await fetch(url)).headers.get('x-version')).toBe('1.2.0')
  expect(await shaping()).toBeUndefined()
})
