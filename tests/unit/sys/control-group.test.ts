import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeControlGroups, removeControlGroups } from '../../../src/sys/control-group.ts'
import { tempFolder } from '../../support/temp.ts'

const limits = { memoryBytes: 1024, processes: 10, cpu: 1.5 }
const nothing = { memoryBytes: undefined, processes: undefined, cpu: undefined }

/** Files as a kernel has them, of which writing is only remembered. The real thing is in tests/conformance/driver-*. */
function tree(folders: Readonly<Record<string, Readonly<Record<string, string>>>>): string {
  const root = tempFolder()
  for (const [folder, files] of Object.entries(folders)) {
    fs.mkdirSync(path.join(root, folder), { recursive: true })
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(root, folder, name), text)
  }
  return root
}

describe('makeControlGroups', () => {
  it('makes a group in each hierarchy of version 1, below our own', () => {
    const root = tree({ 'memory/ours': {}, pids: {}, cpu: {} })
    const place = { root, membership: '4:memory:/ours\n3:pids:/\n1:cpu,cpuacct:/\n0::/\n' }
    const made = makeControlGroups('web', limits, place)
    const at = (name: string) => path.join(root, name)
    expect(made.unheld).toEqual([])
    expect(made.joinFiles).toEqual(['memory/ours/web', 'pids/web', 'cpu/web'].map(name => at(`${name}/cgroup.procs`)))
    expect(fs.readFileSync(at('memory/ours/web/memory.limit_in_bytes'), 'utf8')).toBe('1024')
    expect(fs.readFileSync(at('pids/web/pids.max'), 'utf8')).toBe('10')
    expect(fs.readFileSync(at('cpu/web/cpu.cfs_quota_us'), 'utf8')).toBe('150000')
  })

  it('makes one group in version 2, once we have moved out of its way', () => {
    const own = 'system.slice/cutover-notes.service'
    const root = tree({ [own]: { 'cgroup.procs': '17\n', 'cgroup.controllers': 'cpu memory pids\n' } })
    const made = makeControlGroups('web', limits, { root, membership: `0::/${own}\n` })
    const at = (name: string) => path.join(root, own, name)
    expect(made).toEqual({ joinFiles: [at('web/cgroup.procs')], unheld: [] })
    expect(fs.readFileSync(at('cutover-serve/cgroup.procs'), 'utf8')).toBe('17')
    expect(fs.readFileSync(at('web/memory.max'), 'utf8')).toBe('1024')
    expect(fs.readFileSync(at('web/cpu.max'), 'utf8')).toBe('150000 100000')
    // Later we are in the group that we moved to.
    const again = makeControlGroups(
      'worker',
      { ...nothing, processes: 5 },
      { root, membership: `0::/${own}/cutover-serve\n` },
    )
    expect(again.joinFiles).toEqual([at('worker/cgroup.procs')])
  })

  it.each([
    ['a session of somebody', '0::/user.slice/session-1.scope\n'],
    ['a unit without that controller', '0::/a.service\n'],
    ['no hierarchy at all', ''],
  ])('touches nobody else and says what is not limited: %s', (_what, membership) => {
    const files = { 'cgroup.procs': '', 'cgroup.controllers': 'cpu\n' }
    const root = tree({ 'a.service': files, 'user.slice/session-1.scope': files })
    const made = makeControlGroups('web', { ...nothing, memoryBytes: 1 }, { root, membership })
    expect(made).toEqual({ joinFiles: [], unheld: ['memoryBytes'] })
    expect(fs.existsSync(path.join(root, 'user.slice/session-1.scope/cutover-serve'))).toBe(false)
  })

  it('makes none where nothing is limited', () => {
    expect(makeControlGroups('web', nothing)).toEqual({ joinFiles: [], unheld: [] })
  })
})

it('removes groups, but for one with a process in it', () => {
  const root = tree({ 'memory/web': {}, 'pids/web': { 'cgroup.procs': '1' } })
  const place = { root, membership: '4:memory:/\n3:pids:/\n' }
  removeControlGroups('web', place)
  expect(fs.readdirSync(path.join(root, 'memory'))).toEqual([])
  expect(fs.readdirSync(path.join(root, 'pids'))).toEqual(['web'])
})
