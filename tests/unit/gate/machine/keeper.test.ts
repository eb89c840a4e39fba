import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { Keeper } from '../../../../src/gate/machine/keeper.ts'
import { parseGateState } from '../../../../src/gate/machine/state-text.ts'
import { tempFolder } from '../../../support/temp.ts'

const hold = { kind: 'enter', mode: 'hold', reason: 'install', lastsMs: 60_000, by: 'installer' } as const

function keeper(file: string, nowMs = 1000, onDeadline = () => {}): Keeper {
  return new Keeper({ file, clock: { nowMs: () => nowMs }, onDeadline })
}

let kept: Keeper | undefined

describe('Keeper', () => {
  it('has every state on disk when it says so, and goes on with it after a restart', () => {
    const file = path.join(tempFolder(), 'gate.json')
    const first = keeper(file)
    const state = first.apply(hold)
    first.close()
    expect(parseGateState(fs.readFileSync(file, 'utf8'), file)).toEqual(state)
    const second = keeper(file)
    expect(second.state).toEqual(state)
    second.close()
  })

  it('keeps its state when the new one cannot be written', () => {
    const folder = tempFolder()
    const broken = keeper(path.join(folder, 'missing', 'gate.json'))
    expect(() => broken.apply(hold)).toThrow(expect.objectContaining({ code: 'FILE_IO' }))
    expect(broken.state.mode).toBe('pass')
  })

  it('begins anew from a damaged file and says so', () => {
    const file = path.join(tempFolder(), 'gate.json')
    fs.writeFileSync(file, '{"schema":1,"mode":"ho')
    const found = keeper(file)
    expect(found.state.mode).toBe('pass')
    expect(found.damage).toMatchObject({ code: 'GATE_STATE_INVALID' })
  })

  it('tells of a deadline that passed while nothing ran', async () => {
    const file = path.join(tempFolder(), 'gate.json')
    const first = keeper(file)
    first.apply(hold)
    first.close()
    await new Promise<void>(resolve => keeper(file, 100_000, resolve))
  })

  it('ends a hold when its time has passed, although the clock was set back meanwhile', async () => {
    const file = path.join(tempFolder(), 'gate.json')
    let nowMs = 1_000_000
    await new Promise<void>(resolve => {
      const set = new Keeper({ file, clock: { nowMs: () => nowMs }, onDeadline: resolve })
      set.apply({ ...hold, lastsMs: 1 })
      nowMs = 1000
      kept = set
    })
    expect(kept!.apply({ kind: 'expire' })).toMatchObject({ mode: 'backoff' })
    kept!.close()
  })

  it('ends a hold also when that cannot be written, and tells of it', async () => {
    const folder = path.join(tempFolder(), 'run')
    fs.mkdirSync(folder)
    const told: string[] = []
    await new Promise<void>(resolve => {
      const clock = { nowMs: () => 1000 }
      kept = new Keeper({
        file: path.join(folder, 'gate.json'),
        clock,
        onDeadline: resolve,
        onUnwritten: ({ code }) => told.push(code),
      })
      kept.apply({ ...hold, lastsMs: 1, afterwards: 'pass' })
      fs.rmSync(folder, { recursive: true })
    })
    expect(kept!.apply({ kind: 'expire' }).mode).toBe('pass')
    expect(told).toEqual(['FILE_IO'])
  })
})
