import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { gate } from '../../src/flow/gate.ts'
import { parseGateState } from '../../src/gate/machine/state-text.ts'
import { runCutover } from '../support/cutover-cli.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { type Serving, startServing, type ToyPrefix, toyPrefix, until } from '../support/toy-prefix.ts'

/** What operators say to a real `cutover serve`, by signals and by the command line, and what becomes of requests. */

async function serving(gate: object): Promise<{ readonly prefix: ToyPrefix; readonly served: Serving }> {
  const prefix = toyPrefix(tempFolder(), { mode: 'proxy', gate })
  prefix.addRelease('1.0.0')
  prefix.switchTo('1.0.0')
  const served = await startServing(prefix.root)
  onTestFinished(async () => void (await served.end('SIGTERM')))
  await until(async () => (await served.client.request({ kind: 'probe' })).result?.ok)
  return { prefix, served }
}

const stateOf = async ({ client }: Serving) => (await client.request({ kind: 'status' })).status.gate

describe('cutover serve', () => {
  it('obeys signals as an operator’s word, until the one that takes it back', async () => {
    const { served } = await serving({})
    const send = async (signal: NodeJS.Signals, mode: string) => {
      served.child.kill(signal)
      await until(async () => (await stateOf(served)).mode === mode)
    }
    await send('SIGTSTP', 'hold')
    const waiting = fetch(served.url)
    await until(async () => (await served.client.request({ kind: 'status' })).status.counters.heldNow === 1)
    // An installer neither ends it nor turns it into something else.
    await served.client.request({ kind: 'gate', mode: 'pass', reason: 'installed' })
    await served.client.request({ kind: 'gate', mode: 'backoff', reason: 'install' })
    expect(await stateOf(served)).toMatchObject({ mode: 'hold', by: 'operator', reason: 'SIGTSTP' })
    await send('SIGCONT', 'pass')
    expect((await waiting).status).toBe(200)
    await send('SIGTTIN', 'backoff')
    expect((await fetch(served.url)).status).toBe(503)
    await send('SIGWINCH', 'drain')
    expect((await fetch(served.url)).headers.get('connection')).toBe('close')
    served.child.kill('SIGHUP')
    await until(async () => served.output().includes('obeyed SIGHUP'))
    await send('SIGCONT', 'pass')
    // What an installer holds may not be ready.
    await served.client.request({ kind: 'gate', mode: 'hold', reason: 'install' })
    const before = served.output().split('obeyed SIGCONT').length
    served.child.kill('SIGCONT')
    await until(async () => served.output().split('obeyed SIGCONT').length > before)
    expect(await stateOf(served)).toMatchObject({ mode: 'hold', by: 'installer' })
    expect(await served.end('SIGTERM')).toBe(0)
  })

  it('softens, backs off and recovers when it is told to, and says so', async () => {
    const { prefix, served } = await serving({
      recovery: { for: '10m', perSecond: 1000 },
      hold: { afterwards: 'pass' },
    })
    const ran = await runCutover(['gate', 'soften', prefix.root, '--for', '10m'])
    expect([ran.exitCode, ran.stdout]).toEqual([
      0,
      expect.stringContaining('of good answers tell clients to stay away'),
    ])
    const file = path.join(prefix.root, 'run', 'gate.json')
    const stored = parseGateState(fs.readFileSync(file, 'utf8'), file)
    expect(stored).toMatchObject({ mode: 'pass', by: 'operator', shaping: { kind: 'soft', share: 1 } })
    const say = (verb: 'hold' | 'soften' | 'pass' | 'backoff') =>
      gate({ prefix: prefix.root, verb, reason: 'test', lastsMs: undefined }, recordedTools())
    await say('hold')
    expect(await stateOf(served)).toMatchObject({ mode: 'hold', afterwards: 'pass' })
    await expect(say('soften')).rejects.toMatchObject({ code: 'GATE_CANNOT_SOFTEN' })
    // Nobody was turned away, so nobody comes back.
    await say('pass')
    expect((await stateOf(served)).shaping).toBeUndefined()
    await say('backoff')
    expect((await fetch(served.url)).status).toBe(503)
    await say('pass')
    expect(await stateOf(served)).toMatchObject({ mode: 'pass', shaping: { kind: 'recovery', perSecond: 1000 } })
  })
})
