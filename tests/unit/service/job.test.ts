import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { runJob } from '../../../src/service/job.ts'
import { driverPlaces, serviceSpec } from '../../support/services.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/toy-prefix.ts'

function job(script: string, timeoutMs = 10_000) {
  const folder = tempFolder()
  const spec = serviceSpec({
    argv: ['/bin/sh', '-c', script],
    cwd: folder,
    environment: { PATH: '/usr/bin:/bin', A: 'a' },
  })
  const controller = new AbortController()
  return {
    folder,
    run: () => runJob({ place: 'before[0]', spec, timeoutMs }, driverPlaces(folder), controller.signal),
    end: () => controller.abort(),
    log: () => fs.readFileSync(path.join(folder, 'web.log'), 'utf8'),
  }
}

describe('runJob', () => {
  it('runs to its end, in the folder and environment of the service, and tells its log', async () => {
    const { folder, run, log } = job('echo "$A in $PWD"')
    await run()
    expect(log()).toContain(`a in ${folder}\n`)
    expect(log()).toContain('job before[0]')
    expect(fs.readdirSync(folder)).toEqual(['web.log'])
  })

  it('fails with what it said', async () => {
    const { folder, run } = job('echo no such table; exit 3')
    await expect(run()).rejects.toMatchObject({
      code: 'SERVICE_JOB_FAILED',
      message: expect.stringMatching(/before\[0\] of web ended: exit code 3\n(.*\n)*no such table$/),
    })
    expect(fs.readdirSync(folder)).toEqual(['web.log'])
  })

  it('is killed with its children when it takes too long', async () => {
    const { run } = job('sleep 60 & sleep 60', 50)
    await expect(run()).rejects.toThrow('did not end within 50 ms')
  })

  it('is killed when nobody waits for it any more, and is found again until then', async () => {
    const { folder, run, end } = job('touch begun; sleep 60')
    const running = run()
    await until(async () => fs.existsSync(path.join(folder, 'begun')))
    expect(fs.readdirSync(folder)).toContain('service-web:job.json')
    end()
    await expect(running).rejects.toThrow('told to end')
  })
})
