import { describe, expect, it } from 'vitest'
import { allDrained, assertFollowed, leaveTo } from '../../../src/flow/serve-leaving.ts'
import type { GateSuccession } from '../../../src/gate/gate.ts'

const refused = expect.objectContaining({ code: 'GATE_UPGRADE_REFUSED' })

it('refuses to leave those who follow only the process that they started', () => {
  expect(() => assertFollowed({})).not.toThrow()
  expect(() => assertFollowed({ SUPERVISOR_ENABLED: '1' })).toThrow(refused)
  expect(() => assertFollowed({ SYSTEMD_EXEC_PID: String(process.pid) })).toThrow(refused)
  expect(() => assertFollowed({ SYSTEMD_EXEC_PID: String(process.pid), NOTIFY_SOCKET: '/run/n' })).not.toThrow()
  // What systemd started may be a shell that started us.
  expect(() => assertFollowed({ SYSTEMD_EXEC_PID: '1' })).not.toThrow()
})

it('is empty when every part is', () => {
  const part = (ok: boolean) => ({ ok, evidence: ok ? 'none' : 'some' })
  expect(allDrained([part(true), part(false)])).toEqual({ ok: false, evidence: 'none; some' })
  expect(allDrained([part(true)])).toEqual({ ok: true, evidence: 'none' })
})

describe('what is left when another process has taken over', () => {
  const never = new AbortController().signal
  function left() {
    const { promise, resolve } = Promise.withResolvers<void>()
    const told: string[] = []
    const succession: GateSuccession = {
      sockets: [],
      leave: () => {
        told.push('leave')
        return promise
      },
      drain: async () => ({ ok: true, evidence: '' }),
      end: () => void told.push('end'),
    }
    return { left: leaveTo(undefined, succession), told, gone: resolve }
  }

  it('goes when its last connection has gone', async () => {
    const { left: one, told, gone } = left()
    gone()
    await one.end({ now: never, alone: never, streamsMs: 60_000 }, undefined)
    expect(told).toEqual(['leave', 'end'])
  })

  it('is ended after a while, or when that is asked for', async () => {
    const late = left()
    await late.left.end({ now: never, alone: never, streamsMs: 1 }, undefined)
    const asked = left()
    await asked.left.end({ now: AbortSignal.abort(), alone: never, streamsMs: 60_000 }, undefined)
    for (const { told } of [late, asked]) expect(told).toEqual(['leave', 'end'])
  })
})
