import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { refreshRepository } from '../../src/flow/repository-refresh.ts'
import { type ChannelRepository, channelRepository } from '../support/channel-repository.ts'
import { codeOfAsync } from '../support/codes.ts'
import { recordedTools } from '../support/recorded-tools.ts'

const dayMs = 86_400_000

let released: ChannelRepository
let repository: ChannelRepository
beforeAll(async () => {
  released = await channelRepository()
  await released.release('1.0.0')
})
beforeEach(() => {
  repository = released.copy()
})

const read = (key: string) => fs.readFileSync(path.join(repository.folder, key), 'utf8')
const expiryOf = (key: string) => Date.parse((JSON.parse(read(key)) as { signed: { expires: string } }).signed.expires)
const options = () => ({
  cwd: repository.folder,
  environment: { PATH: process.env['PATH'] },
  repository: repository.folder,
  keys: path.join(repository.folder, '..', 'keys'),
})

async function refresh(inDays: number, checkOnly = false) {
  const tools = recordedTools({ nowMs: Date.now() + inDays * dayMs })
  const code = await codeOfAsync(refreshRepository({ ...options(), checkOnly }, tools))
  const changed = tools.events.some(event => event.kind === 'run-done' && event.changed)
  const warned = tools.events.flatMap(event => (event.kind === 'warning' ? [event.message.split(' ')[0]] : []))
  const rows = tools.events.flatMap(event => (event.kind === 'table' ? event.rows : []))
  return { code, changed, renewed: rows.flatMap(([role, , , state]) => (state === 'renewed' ? [role] : [])), warned }
}

describe('release refresh', () => {
  it('signs timestamp and snapshot anew once they are some days old, and not more often', async () => {
    expect(await refresh(1)).toEqual({ code: undefined, changed: false, renewed: [], warned: [] })
    const before = expiryOf('metadata/timestamp.json')
    expect(await refresh(10)).toMatchObject({ code: undefined, changed: true, renewed: ['snapshot', 'timestamp'] })
    expect(expiryOf('metadata/timestamp.json') - before).toBeGreaterThan(9 * dayMs)
    expect(await refresh(10)).toMatchObject({ changed: false })
    expect(await repository.offers()).toMatchObject({ targets: { stable: '1.0.0' } })
  })

  it('renews an expired repository, and what its keys can sign of the rest', async () => {
    expect(await refresh(360)).toMatchObject({
      // Nobody renews a root but its owners.
      code: 'METADATA_EXPIRING',
      renewed: ['targets', 'snapshot', 'timestamp', 'application-notes'],
    })
    expect(await refresh(360)).toMatchObject({ code: 'METADATA_EXPIRING', changed: false, renewed: [] })
  })

  it('tells of a role whose key is elsewhere, and renews the others', async () => {
    fs.rmSync(path.join(options().keys, 'application-notes.json'))
    fs.rmSync(path.join(options().keys, 'targets.json'))
    const renewed = ['snapshot', 'timestamp']
    expect(await refresh(340)).toEqual({
      code: undefined,
      changed: true,
      renewed,
      warned: ['root', 'targets', 'application-notes'],
    })
    expect(await refresh(360)).toMatchObject({ code: 'METADATA_EXPIRING', renewed, warned: [] })
  })

  it('only tells when asked to', async () => {
    const before = read('metadata/timestamp.json')
    expect(await refresh(5, true)).toMatchObject({ code: undefined, changed: false })
    expect(await refresh(18, true)).toMatchObject({ code: undefined, warned: ['snapshot', 'timestamp'] })
    expect(await refresh(40, true)).toMatchObject({ code: 'METADATA_EXPIRING', changed: false, renewed: [] })
    expect(read('metadata/timestamp.json')).toBe(before)
  })

  it('signs the suites of apt anew where they have a last day', async () => {
    const validUntil = () => Date.parse(/^Valid-Until: (.*)$/m.exec(read('dists/stable/InRelease'))?.[1] ?? '')
    await repository.run('init', repository.folder, '--apt-valid', '10')
    expect(await refresh(2)).toMatchObject({
      code: undefined,
      changed: true,
      renewed: ['snapshot', 'timestamp', 'apt'],
    })
    expect(validUntil() - Date.now()).toBeGreaterThan(11 * dayMs)
    expect(await refresh(2)).toMatchObject({ changed: false })
  })
})
