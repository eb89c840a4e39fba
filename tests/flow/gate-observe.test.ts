import { execFileSync, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { prefixPaths } from '../../src/prefix/layout.ts'
import { rawClient } from '../support/raw-client.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { type Serving, startServing, toyPrefix, until } from '../support/toy-prefix.ts'

const cutover = path.join(import.meta.dirname, '..', '..', 'src', 'bin', 'cutover.ts')
const running: Serving[] = []

afterEach(async () => {
  for (const serving of running.splice(0)) await serving.end('SIGTERM')
})

async function observed(mode: 'proxy' | 'handover'): Promise<{ readonly serving: Serving; readonly root: string }> {
  const gate = { accessLog: 'json', metrics: '127.0.0.1:0', hold: { requests: 1 } }
  const prefix = toyPrefix(tempFolder(), { mode, gate })
  prefix.addRelease('1.0.0')
  prefix.switchTo('1.0.0')
  const serving = await startServing(prefix.root)
  running.push(serving)
  await until(async () => (await serving.client.request({ kind: 'probe' })).result?.ok)
  return { serving, root: prefix.root }
}

const logged = (root: string) => {
  const file = path.join(prefixPaths(root).log, 'access.log')
  if (!fs.existsSync(file)) return []
  const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as Record<string, unknown>)
}

/** What a reader that is not ours makes of metrics: the value of each sample by its name and labels. */
function samples(text: string): Readonly<Record<string, number>> {
  const program = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
print(json.dumps({s.name + json.dumps(s.labels, sort_keys=True): s.value for f in text_string_to_metric_families(sys.stdin.read()) for s in f.samples}))`
  return JSON.parse(execFileSync('/usr/bin/python3', ['-c', program], { input: text, encoding: 'utf8' }))
}

const metricsAddress = (serving: Serving) =>
  until(async () => /"metrics at ([\d.:]+)"/.exec(serving.output())?.[1] ?? undefined)

it.skipIf(!needTool('python3'))(
  'shows Prometheus what became of requests: answered, held, turned away, hung up',
  async () => {
    const { serving, root } = await observed('proxy')
    await (await fetch(`${serving.url}/seen?a=1`)).text()
    await serving.client.request({ kind: 'gate', mode: 'hold', reason: 'test' })
    const held = fetch(`${serving.url}/held`)
    await until(async () => (await serving.client.request({ kind: 'status' })).status.counters.heldNow === 1)
    const turnedAway = await fetch(`${serving.url}/away`)
    expect(turnedAway.status).toBe(503)
    await turnedAway.text()
    await serving.client.request({ kind: 'gate', mode: 'pass', reason: 'test' })
    expect((await held).status).toBe(200)

    const fetched = await fetch(`http://${await metricsAddress(serving)}/metrics`)
    expect(fetched.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const read = samples(await fetched.text())
    expect(read['cutover_gate_requests_total{"code": "200", "outcome": "answered"}']).toBe(2)
    expect(read['cutover_gate_requests_total{"code": "503", "outcome": "backed-off"}']).toBe(1)
    expect(read['cutover_gate_held_total{}']).toBe(1)
    expect(read['cutover_gate_wait_seconds_count{}']).toBe(1)
    expect(read['cutover_gate_request_duration_seconds_bucket{"le": "+Inf"}']).toBe(2)
    expect(read['cutover_gate_mode{"mode": "pass"}']).toBe(1)
    expect(read['cutover_service_up{"service": "web"}']).toBe(1)
    expect(read['cutover_upstream_up{}']).toBe(1)

    const lines = await until(async () => (logged(root).length === 3 ? logged(root) : undefined))
    expect(lines.map(({ target, status, outcome }) => [target, status, outcome])).toEqual(
      expect.arrayContaining([
        ['/seen?a=1', 200, 'answered'],
        ['/held', 200, 'answered'],
        ['/away', 503, 'backed-off'],
      ]),
    )
    const printed = spawnSync(process.execPath, [cutover, 'gate', 'metrics', root], { encoding: 'utf8' })
    expect(samples(printed.stdout)['cutover_gate_held_total{}']).toBe(1)
  },
)

it('counts in handover what its hold workers saw', async () => {
  const { serving, root } = await observed('handover')
  await serving.client.request({ kind: 'gate', mode: 'backoff', reason: 'test' })
  await until(async () => (await fetch(serving.url)).status === 503)
  const text = await until(async () => {
    const { metrics } = await serving.client.request({ kind: 'metrics' })
    return /backed-off",code="503"} [1-9]/.test(metrics ?? '') ? metrics : undefined
  })
  expect(text).toContain('cutover_gate_mode{mode="backoff"} 1\n')
  expect(await until(async () => logged(root).length > 0 && logged(root))).toMatchObject([{ status: 503 }])
})

it('goes on in a new log at SIGHUP, and tells of what it refuses to read', async () => {
  const { serving, root } = await observed('proxy')
  const { log } = prefixPaths(root)
  const client = await rawClient(serving.port)
  client.send('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')
  await client.ended
  await until(async () => logged(root).length === 1)
  fs.renameSync(path.join(log, 'access.log'), path.join(log, 'access.log.1'))
  serving.child.kill('SIGHUP')
  await until(async () => fs.existsSync(path.join(log, 'access.log')))
  await (await fetch(serving.url)).text()
  expect(await until(async () => logged(root).length === 1 && logged(root))).toMatchObject([{ outcome: 'answered' }])
  expect(fs.readFileSync(path.join(log, 'access.log.1'), 'utf8')).toContain('"outcome":"refused"')
})

it('watches: a line for each change, wherever it is no terminal', async () => {
  const { serving, root } = await observed('proxy')
  const watching = spawn(process.execPath, [cutover, 'gate', 'watch', root, '--every', '20ms'])
  let text = ''
  watching.stdout.on('data', piece => {
    text += piece
  })
  await until(async () => text.includes('pass, 1.0.0 runs'))
  await serving.client.request({ kind: 'gate', mode: 'hold', reason: 'looking at it' })
  await until(async () => text.includes('pass → hold: looking at it'))
  await serving.client.request({ kind: 'gate', mode: 'pass', reason: 'seen' })
  await until(async () => text.includes('hold → pass: seen'))
  watching.kill('SIGINT')
  const [code] = await new Promise<[number | null]>(resolve => watching.once('close', exitCode => resolve([exitCode])))
  expect(code).toBe(0)
  expect(text.trimEnd().split('\n')).toHaveLength(3)
})
