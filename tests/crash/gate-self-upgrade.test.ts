import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type ControlClient, connectControl } from '../../src/gate/control/client.ts'
import { controlSocket } from '../../src/gate/control/protocol.ts'
import { isLong, sample } from '../support/kill-points.ts'
import { builtCutover } from '../support/killed-cutover.ts'
import { startEventStreams, startTunnels, startUploads, toyUpload } from '../support/lasting-clients.ts'
import { startLoad } from '../support/load.ts'
import { faultyCutover, isAlive, servingProcesses } from '../support/successors.ts'
import { memoryFolder } from '../support/temp.ts'
import { type Serving, startServingBy, type ToyPrefix, toyPrefix, until } from '../support/toy-prefix.ts'

const upgrades = isLong ? 20 : 2

/** Moments of a takeover, as the successor comes by them: it can kill whoever is to be killed there. */
const moments = ['before ready', 'after ready', 'at take', 'before taken', 'after taken'] as const
const kills = moments.flatMap(moment => (['predecessor', 'successor'] as const).map(who => ({ who, moment })))
let killed = 0

afterAll(() => console.log(`self-upgrades: ${upgrades} under load, ${killed} of ${kills.length} kills`))

const status = async (client: ControlClient) => (await client.request({ kind: 'status' })).status
const healthy = (client: ControlClient) => until(async () => (await client.request({ kind: 'probe' })).result?.ok)

let program: string
const prefixes: ToyPrefix[] = []

beforeAll(async () => {
  program = (await builtCutover()).program
})

afterEach(async () => {
  for (const prefix of prefixes.splice(0)) await end(prefix)
})

async function served(mode: 'proxy' | 'handover'): Promise<{ prefix: ToyPrefix; serving: Serving }> {
  const prefix = toyPrefix(memoryFolder(), { mode })
  prefixes.push(prefix)
  prefix.addRelease('1.0.0')
  prefix.switchTo('1.0.0')
  const serving = await startServingBy(program, prefix.root)
  await healthy(serving.client)
  return { prefix, serving }
}

async function end({ root }: ToyPrefix): Promise<void> {
  await (await connectControl(path.join(root, controlSocket)))?.request({ kind: 'shutdown' })
  await until(async () => servingProcesses(root).length === 0)
}

describe('a gate that is upgraded under load', () => {
  it.each(['proxy', 'handover'] as const)('fails no request and cuts nothing that lasts, %s', async mode => {
    const { prefix, serving } = await served(mode)
    const before = await status(serving.client)
    const load = startLoad(serving.url, 4)
    const uploads = startUploads(2, () => toyUpload(serving.url))
    const events = startEventStreams(`${serving.url}/events`, 2)
    const tunnels = startTunnels(serving.port, 2)
    for (let count = 0; count < upgrades; count += 1) {
      const [eventsBefore, tunnelsBefore] = [events.answered(), tunnels.answered()]
      await until(async () => events.answered() > eventsBefore && tunnels.answered() > tunnelsBefore)
      await serving.client.request({ kind: 'upgrade' }, { timeoutMs: 60_000 })
      // The second upgrade finds the application as the first one did.
      expect((await status(serving.client)).services).toEqual(before.services)
    }
    const [eventsBefore, tunnelsBefore] = [events.answered(), tunnels.answered()]
    await until(async () => events.answered() > eventsBefore && tunnels.answered() > tunnelsBefore)
    expect(await load.stop()).toMatchObject({ failures: [], versions: ['1.0.0'] })
    const uploaded = await uploads.stop()
    expect(uploaded.failures).toEqual([])
    expect(uploaded.answered).toBeGreaterThan(1)
    for (const lasting of [events, tunnels]) expect(await lasting.stop()).toMatchObject({ failures: [], again: 0 })
    await end(prefix)
    expect(isAlive(before.services[0]!.pid!)).toBe(false)
  })
})

describe('kill -9 during the upgrade of a gate', () => {
  it.each(sample(kills, 2))('leaves the application as it was: the $who, $moment', async ({ who, moment }) => {
    const { prefix, serving } = await served('proxy')
    const before = await status(serving.client)
    const load = startLoad(serving.url, 2)
    const ended = serving.client
      .request({ kind: 'upgrade', cutover: killingCutover(who, moment) })
      .then(() => 'upgraded', String)
    await ended
    killed += 1
    // A successor whose predecessor is gone before it was to take over ends by itself.
    await until(async () => servingProcesses(prefix.root).every(pid => pid !== before.pid) || who === 'successor')
    const survivor = await settled(prefix, who === 'successor' && moment !== 'after taken' ? before.pid : undefined)
    const { failures } = await load.stop()
    expect(isAlive(before.services[0]!.pid!)).toBe(true)
    // Only who was connected to the one that was killed may notice, or finds nobody there when that was the last.
    if (who === 'successor' && !moment.endsWith('taken')) expect(failures).toEqual([])
    if (survivor === undefined) {
      const again = await startServingBy(program, prefix.root, '--listen', `127.0.0.1:${serving.port}`)
      await healthy(again.client)
      expect(isAlive(before.services[0]!.pid!)).toBe(false)
    } else {
      expect((await status(survivor)).services).toEqual(before.services)
      await survivor.request({ kind: 'upgrade' }, { timeoutMs: 60_000 })
    }
    expect((await fetch(serving.url, { method: 'POST', body: 'x' })).status).toBe(200)
  })
})

/** Who serves when all has come to rest; undefined when nobody does. */
async function settled({ root }: ToyPrefix, expected: number | undefined): Promise<ControlClient | undefined> {
  const isRest = (pids: readonly number[]) =>
    pids.length === 0 || (pids.length === 1 && pids[0] === (expected ?? pids[0]))
  await until(async () => isRest(servingProcesses(root)))
  return connectControl(path.join(root, controlSocket))
}

/** The real cutover, that kills itself or who started it at a moment of the takeover. */
function killingCutover(who: string, moment: string): string {
  const [when, what] = moment.split(' ')
  return faultyCutover(
    memoryFolder(),
    `import { pathToFileURL } from 'node:url'
     const kill = () => process.kill(${who === 'successor' ? 'process.pid' : 'process.ppid'}, 'SIGKILL')
     const send = process.send.bind(process)
     process.send = (message, ...more) => {
       const isIt = message.kind === '${what}'
       if (isIt && '${when}' === 'before') kill()
       // After means: when it has been written.
       return send(message, undefined, undefined, caught => {
         if (isIt && '${when}' === 'after') kill()
       })
     }
     if ('${when}' === 'at') process.prependListener('message', message => message.kind === '${what}' && kill())
     process.argv[1] = ${JSON.stringify(program)}
     await import(pathToFileURL(${JSON.stringify(program)}))`,
  )
}
