import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ReleaseError } from '../../../src/core/error.ts'
import { ManagedService, type Observed, type ServiceManager } from '../../../src/service/managed.ts'
import { driverPlaces, serviceSpec } from '../../support/services.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/toy-prefix.ts'

/** A manager in this process, whose services are `sleep`. */
class TestManager implements ServiceManager {
  readonly kind = 'systemd'
  readonly asked: string[] = []
  observed: Observed | undefined
  failure: ReleaseError | undefined
  child: ChildProcess | undefined

  async start(): Promise<void> {
    this.asked.push('start')
    if (this.failure !== undefined) throw this.failure
    await this.run()
  }

  async run(): Promise<void> {
    this.child = spawn('sleep', ['60'], { stdio: 'ignore' })
    await once(this.child, 'spawn')
    this.observed = { kind: 'running', pid: this.child.pid! }
  }

  async stop(): Promise<void> {
    this.asked.push('stop')
    await this.kill()
  }

  async kill(next: Observed = { kind: 'stopped' }): Promise<void> {
    this.observed = next
    if (this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null) return
    const closed = once(this.child, 'close')
    this.child.kill('SIGKILL')
    await closed
  }

  async observe(): Promise<Observed> {
    return this.observed!
  }
}

function managed() {
  const folder = tempFolder()
  const manager = new TestManager()
  const told: string[] = []
  const prepared = { spec: serviceSpec(), handed: [], port: '', socket: '', writable: [] }
  const hooks = {
    name: 'web',
    prepare: async () => prepared,
    started: () => void told.push('started'),
    ended: (returns: boolean) => void told.push(returns ? 'returns' : 'ended'),
  }
  const service = new ManagedService(manager, hooks, driverPlaces(folder))
  onTestFinished(() => manager.kill())
  return { manager, service, told, record: path.join(folder, 'service-web.json') }
}

describe('ManagedService', () => {
  it('starts and stops it by its manager, and remembers by whom meanwhile', async () => {
    const { manager, service, told, record } = managed()
    await service.start()
    expect(service.status()).toMatchObject({ state: 'running', pid: manager.child!.pid, restarts: 0 })
    expect(JSON.parse(fs.readFileSync(record, 'utf8'))).toMatchObject({ name: 'web', manager: 'systemd' })
    await service.stop()
    expect(service.status()).toMatchObject({ state: 'stopped', pid: undefined })
    expect(manager.asked).toEqual(['start', 'stop'])
    expect(told).toEqual(['started', 'ended'])
    expect(fs.existsSync(record)).toBe(false)
  })

  it('notices that it ended and that its manager started it again', async () => {
    const { manager, service, told } = managed()
    await service.start()
    await manager.kill({ kind: 'starting' })
    await until(async () => service.status().state === 'backoff')
    await manager.run()
    await until(async () => service.status().state === 'running')
    expect(service.status()).toMatchObject({ pid: manager.child!.pid, restarts: 1 })
    await service.stop()
    expect(manager.asked).toEqual(['start', 'stop'])
    expect(told).toEqual(['started', 'returns', 'started', 'ended'])
  })

  it('starts it again itself when its manager has given up', async () => {
    const { manager, service } = managed()
    await service.start()
    await manager.kill({ kind: 'ended', lastExit: 'exit code 3' })
    await until(async () => service.status().restarts === 1 && service.status().state === 'running')
    expect(service.status().lastExit).toBe('exit code 3')
    await service.stop()
    expect(manager.asked).toEqual(['start', 'start', 'stop'])
  })

  it('leaves alone what somebody stopped by hand', async () => {
    const { manager, service, told } = managed()
    await service.start()
    await manager.kill({ kind: 'stopped' })
    await until(async () => service.status().state === 'stopped')
    expect(service.status().lastExit).toContain('by hand')
    expect(told).toEqual(['started', 'returns', 'ended'])
    await service.stop()
  })

  it('leaves nothing behind of what could not be started', async () => {
    const { manager, service, record } = managed()
    manager.failure = new ReleaseError('SERVICE_START_FAILED', 'no')
    await expect(service.start()).rejects.toMatchObject({ code: 'SERVICE_START_FAILED' })
    expect(manager.asked).toEqual(['start', 'stop'])
    expect(fs.existsSync(record)).toBe(false)
  })
})
