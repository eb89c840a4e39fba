import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { Keeper } from '../../../../src/gate/machine/keeper.ts'
import { parseGateState } from '../../../../src/gate/machine/machine.ts'
import { tempFolder } from '../../../support/temp.ts'

const hold = { kind: 'enter', mode: 'hold', reason: 'install', lastsMs: 60_000, by: 'installer' } as const

function keeper(file: string, nowMs = 1000, onDeadline = () => {}): Keeper {
  return new Keeper({ file, clock: { nowMs: () => nowMs }, onDeadline })
}

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
})
