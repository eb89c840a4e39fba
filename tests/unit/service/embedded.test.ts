import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { EmbeddedDriver } from '../../../src/service/drivers/embedded.ts'
import { driverPlaces, serviceSpec } from '../../support/services.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/toy-prefix.ts'

function driver(script: string, argv0 = '/bin/sh') {
  const folder = tempFolder()
  const told: string[] = []
  const embedded = new EmbeddedDriver(
    {
      name: 'web',
      prepare: async () => {
        told.push('prepare')
        return {
          spec: serviceSpec({ argv: [argv0, '-c', script], cwd: folder, stopTimeoutMs: 10_000 }),
          handed: [],
          port: '',
          socket: '',
          writable: [],
        }
      },
      started: () => told.push('started'),
      ended: returns => told.push(returns ? 'returns' : 'ended'),
    },
    driverPlaces(folder),
  )
  return { embedded, told, log: () => fs.readFileSync(path.join(folder, 'web.log'), 'utf8'), folder }
}

describe('EmbeddedDriver', () => {
  it('runs a service, keeps what it says, and stops it with its signal', async () => {
    const { embedded, told, log, folder } = driver(
      'trap "echo bye; exit 0" TERM; echo hello; while :; do sleep 0.01; done',
    )
    await embedded.start()
    await until(async () => log().includes('hello'))
    expect(embedded.status()).toMatchObject({ state: 'running', restarts: 0 })
    await embedded.stop()
    expect(log()).toContain('bye')
    expect(embedded.status()).toMatchObject({ state: 'stopped', pid: undefined, lastExit: 'exit code 0' })
    expect(told).toEqual(['prepare', 'started', 'ended'])
    expect(fs.existsSync(path.join(folder, 'service-web.json'))).toBe(false)
  })

  it('starts it again when it ends by itself, prepared anew, and can be stopped meanwhile', async () => {
    const { embedded, told, log } = driver('exit 4')
    await embedded.start()
    // Between two lives: one that is just beginning would be ended by the signal.
    await until(async () => embedded.status().restarts >= 1 && embedded.status().state === 'backoff')
    await embedded.stop()
    expect(told.slice(0, 5)).toEqual(['prepare', 'started', 'returns', 'prepare', 'started'])
    expect(told.at(-1)).toBe('ended')
    expect(embedded.status().lastExit).toBe('exit code 4')
    expect(log()).toMatch(/cutover: process \d+ ended: exit code 4/)
  })

  it('leaves no child of a service behind', async () => {
    const { embedded, log } = driver('sleep 60 & echo $!; kill -9 $$')
    await embedded.start()
    await until(async () => /^\d+$/m.test(log()))
    await embedded.stop()
    const child = Number(/^(\d+)$/m.exec(log())![1])
    await until(
      async () => !fs.existsSync(`/proc/${child}`) || / Z /.test(fs.readFileSync(`/proc/${child}/stat`, 'utf8')),
    )
  })

  it('says at once when the command is not there', async () => {
    const { embedded } = driver('', '/no/such/command')
    await expect(embedded.start()).rejects.toMatchObject({ code: 'SERVICE_START_FAILED' })
    expect(embedded.status().state).toBe('stopped')
  })

  it('takes over what another one let go of, starts it again when it ends, and stops it', async () => {
    const { embedded, told, folder, log } = driver('trap "exit 0" TERM; echo begun; while :; do sleep 0.01; done')
    await embedded.start()
    const { pid } = embedded.status()
    const heir = driver('trap "exit 0" TERM; while :; do sleep 0.01; done')
    fs.copyFileSync(path.join(folder, 'service-web.json'), path.join(heir.folder, 'service-web.json'))
    await until(async () => log().includes('begun'))
    const end = embedded.letGo()
    await heir.embedded.adopt()
    end('taken')
    expect(heir.told).toEqual(['started'])
    expect(heir.embedded.status()).toMatchObject({ state: 'running', pid, restarts: 0 })
    process.kill(pid!, 'SIGKILL')
    await until(async () => heir.embedded.status().restarts === 1 && heir.embedded.status().state === 'running')
    expect(heir.told).toEqual(['started', 'returns', 'prepare', 'started'])
    await heir.embedded.stop()
    expect(told).toEqual(['prepare', 'started'])
  })

  it('goes on with what nobody took, and makes up for what happened meanwhile', async () => {
    const { embedded, told } = driver('trap "exit 0" TERM; while :; do sleep 0.01; done')
    await embedded.start()
    const end = embedded.letGo()
    process.kill(embedded.status().pid!, 'SIGKILL')
    expect(told).toEqual(['prepare', 'started'])
    end('kept')
    await until(async () => embedded.status().restarts === 1 && embedded.status().state === 'running')
    await embedded.stop()
    expect(told.slice(2)).toEqual(['returns', 'prepare', 'started', 'ended'])
  })

  it('takes over nothing that it does not know', async () => {
    await expect(driver('exit 0').embedded.adopt()).rejects.toMatchObject({ code: 'SERVICE_ADOPT_FAILED' })
  })
})
