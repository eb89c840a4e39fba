import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { endLeftovers, forgetService, rememberManaged, rememberProcess } from '../../../src/service/leftovers.ts'
import { serviceSpec } from '../../support/services.ts'
import { tempFolder } from '../../support/temp.ts'

const spec = serviceSpec({ argv: ['sleep', '60'], stopTimeoutMs: 500 })
const noManager = () => Promise.reject(new Error('no service has a manager'))

/** A process that an earlier serving process left behind. */
async function leftover(...argv: [string, ...string[]]) {
  const child = spawn(argv[0], argv.slice(1), { detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child, 'spawn')
  return { child, ended: once(child, 'exit') as Promise<[number | null, string | null]> }
}

describe('endLeftovers', () => {
  it('ends a process that is still the one, and forgets it', async () => {
    const run = tempFolder()
    const { child, ended } = await leftover('sleep', '60')
    rememberProcess(run, spec, child.pid!)
    expect(await endLeftovers(run, noManager)).toEqual(['web'])
    expect(await ended).toEqual([null, 'SIGTERM'])
    expect(fs.readdirSync(run)).toEqual([])
  })

  it('kills one that does not listen', async () => {
    const run = tempFolder()
    const { child, ended } = await leftover('sh', '-c', 'trap "" TERM; echo ready; while :; do sleep 1; done')
    await once(child.stdout!, 'data')
    rememberProcess(run, { ...spec, stopTimeoutMs: 50 }, child.pid!)
    await endLeftovers(run, noManager)
    expect(await ended).toEqual([null, 'SIGKILL'])
  })

  it('leaves a process alone that only has the number', async () => {
    const run = tempFolder()
    const { child, ended } = await leftover('sleep', '60')
    rememberProcess(run, spec, child.pid!)
    const file = path.join(run, 'service-web.json')
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/"startTicks":"\d+"/, '"startTicks":"1"'))
    expect(await endLeftovers(run, noManager)).toEqual([])
    expect(child.exitCode).toBeNull()
    child.kill('SIGKILL')
    await ended
  })

  it('leaves every process alone after the machine was started anew', async () => {
    const run = tempFolder()
    const { child, ended } = await leftover('sleep', '60')
    rememberProcess(run, spec, child.pid!)
    const file = path.join(run, 'service-web.json')
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/"bootId":"[^"]+"/, '"bootId":"another"'))
    expect(await endLeftovers(run, noManager)).toEqual([])
    child.kill('SIGKILL')
    await ended
  })

  it.each(['', '{', '{}', '{"schema":1,"name":"web","pid":1,"startTicks":"1","bootId":"x"}', 'null'])(
    'passes over a record that says %s',
    async text => {
      const run = tempFolder()
      fs.writeFileSync(path.join(run, 'service-web.json'), text)
      expect(await endLeftovers(run, noManager)).toEqual([])
    },
  )

  it('has a manager end what it runs, by name', async () => {
    const run = tempFolder()
    rememberManaged(run, spec, 'systemd')
    const told: unknown[] = []
    expect(await endLeftovers(run, async (...ended) => void told.push(ended))).toEqual(['web'])
    expect(told).toEqual([['systemd', expect.objectContaining({ name: 'web', stopTimeoutMs: 500 })]])
    expect(fs.readdirSync(run)).toEqual([])
  })

  it('finds nothing where nothing was left', async () => {
    const run = tempFolder()
    forgetService(run, 'web')
    expect(await endLeftovers(path.join(run, 'missing'), noManager)).toEqual([])
  })
})
