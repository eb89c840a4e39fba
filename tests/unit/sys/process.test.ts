import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readTextIfExists } from '../../../src/sys/files.ts'
import {
  describeExit,
  identifyProcess,
  killProcessesOf,
  signalGroup,
  startProcess,
  watchProcess,
} from '../../../src/sys/process.ts'
import { tempFolder } from '../../support/temp.ts'
import { until } from '../../support/toy-prefix.ts'

function options(...argv: [string, ...string[]]) {
  const folder = tempFolder()
  const logFile = path.join(folder, 'log')
  return { argv, cwd: folder, environment: { PATH: process.env['PATH']! }, logFile, handed: [] }
}

describe('startProcess', () => {
  it('runs a command with nothing but the environment that it is given, and appends what it says', async () => {
    const wanted = options('sh', '-c', 'env | sort; echo error >&2')
    fs.writeFileSync(wanted.logFile, 'before\n')
    const started = await startProcess({ ...wanted, environment: { ...wanted.environment, ONLY: 'this' } })
    expect(describeExit(await started.exited)).toBe('exit code 0')
    const log = fs.readFileSync(wanted.logFile, 'utf8')
    expect(log).toMatch(/^before\n/)
    expect(log).toContain('ONLY=this')
    expect(log).toContain('error')
    expect(log).not.toContain('HOME=')
    expect(log).not.toContain('LISTEN')
  })

  it('makes it the leader of a group that is signalled as a whole', async () => {
    const started = await startProcess(options('sh', '-c', 'sleep 60 & sleep 60'))
    expect(signalGroup(started.pid, 'SIGKILL')).toBe(true)
    expect(describeExit(await started.exited)).toBe('SIGKILL')
  })

  it('hands over descriptors from number 3 on, named, with the number of the very process', async () => {
    const wanted = options('sh', '-c', 'echo "$LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PID $$"; cat <&3; cat <&4')
    const descriptors = ['web', 'admin'].map(name => {
      fs.writeFileSync(path.join(wanted.cwd, name), `through ${name}\n`)
      return { name, descriptor: fs.openSync(path.join(wanted.cwd, name), 'r') }
    })
    const started = await startProcess({ ...wanted, handed: descriptors })
    await started.exited
    for (const { descriptor } of descriptors) fs.closeSync(descriptor)
    const [fds, names, listenPid, pid, ...read] = fs.readFileSync(wanted.logFile, 'utf8').trim().split(/\s/)
    expect([fds, names, listenPid]).toEqual(['2', 'web:admin', pid])
    expect(read.join(' ')).toBe('through web through admin')
  })

  it('gives it an input that stays open while we are there, when it is to end with us', async () => {
    const wanted = options('sh', '-c', 'read -r line; echo "ended with us"')
    const started = await startProcess({ ...wanted, lifeline: true })
    const nothing = options('sh', '-c', 'read -r line; echo "no input"')
    await (await startProcess(nothing)).exited
    expect(fs.readFileSync(wanted.logFile, 'utf8')).toBe('')
    signalGroup(started.pid, 'SIGKILL')
    await started.exited
  })

  it('says which command is not there', async () => {
    await expect(startProcess(options('/no/such/command'))).rejects.toMatchObject({
      code: 'SERVICE_START_FAILED',
      details: { command: '/no/such/command' },
    })
  })
})

it('watches a process that is not its child, and notices its end but not how it came', async () => {
  const started = await startProcess(options('sleep', '60'))
  const watched = watchProcess(identifyProcess(started.pid)!)
  expect(await Promise.race([watched.exited, Promise.resolve('runs')])).toBe('runs')
  signalGroup(started.pid, 'SIGKILL')
  expect(describeExit(await watched.exited)).toBe('nobody saw how')
  const gone = { pid: started.pid, startTicks: '1', bootId: '' }
  expect(await watchProcess(gone).exited).toEqual({ exitCode: null, signal: null })
})

it('identifies a process by more than its number', () => {
  const ours = identifyProcess(process.pid)
  expect(ours).toMatchObject({
    pid: process.pid,
    startTicks: expect.stringMatching(/^\d+$/),
    bootId: expect.stringMatching(/^[0-9a-f-]{36}$/),
  })
  expect(identifyProcess(process.pid)).toEqual(ours)
  expect(identifyProcess(2 ** 22 + 1)).toBeUndefined()
})

describe('killProcessesOf', () => {
  it('kills what names the folder in its environment, and what that started, but nothing else', async () => {
    const wanted = options('sh', '-c', 'sleep 60 & echo $!; wait')
    const { environment } = wanted
    const ours = await startProcess({
      ...wanted,
      environment: { ...environment, TMPDIR: path.join(wanted.cwd, 'tmp') },
    })
    const other = await startProcess({ ...options('sleep', '60'), environment })
    const started = await until(async () => fs.readFileSync(wanted.logFile, 'utf8').trim() || undefined)
    await killProcessesOf(wanted.cwd)
    expect(describeExit(await ours.exited)).toBe('SIGKILL')
    // One that has ended has no arguments any more, or is gone.
    expect(readTextIfExists(`/proc/${started}/cmdline`) ?? '').toBe('')
    expect(signalGroup(other.pid, 'SIGKILL')).toBe(true)
    expect(describeExit(await other.exited)).toBe('SIGKILL')
  })
})
