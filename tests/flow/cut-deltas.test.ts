import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { cut } from '../../src/flow/cut.ts'
import { rebuildRelease } from '../../src/flow/rebuild.ts'
import type { RebuildResult } from '../../src/flow/rebuild-report.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { upload } from '../../src/flow/upload.ts'
import { applyDelta } from '../../src/payload/delta/apply.ts'
import { openDelta } from '../../src/payload/delta/open.ts'
import { extractPayload } from '../../src/payload/extract.ts'
import { isDelta, parseReleaseRecord } from '../../src/payload/release-record.ts'
import type { TestRepository } from '../support/git-repository.ts'
import { makeRepository } from '../support/made-repository.ts'
import { pingRepository } from '../support/ping-app.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'

async function cutVersion(repository: TestRepository, version: string, options: { repository?: string } = {}) {
  const { folder: cwd, environment } = repository
  const tools = recordedTools()
  await cut({ cwd, environment, version, snapshot: false, dryRun: false, ...options }, tools)
  const folder = path.join(cwd, 'dist', version)
  const record = parseReleaseRecord(fs.readFileSync(path.join(folder, 'release.json')))
  const deltas = record.components.flatMap(({ artifacts }) => artifacts.filter(isDelta))
  const warnings = tools.events.flatMap(event => (event.kind === 'warning' ? [event.code] : []))
  return { folder, deltas, warnings }
}

async function openRelease(folder: string, version: string) {
  const release = await resolveFromFolder(folder).release('ping', version)
  const { manifest } = await release.manifest()
  return { manifest, source: await release.source(manifest, () => {}) }
}

describe('deltas of a release', () => {
  it('lead from the releases before to this one, and one that is damaged stops no new one', async () => {
    const repository = pingRepository()
    const cutNext = (version: string) => {
      repository.commit(`feat: ${version}`, { NOTES: version })
      return cutVersion(repository, version)
    }
    const first = await cutNext('1.0.0')
    expect((await cutNext('1.1.0-rc.1')).deltas.map(({ from }) => from)).toEqual(['1.0.0'])
    const second = await cutNext('1.1.0')
    expect(second.deltas.map(({ from }) => from)).toEqual(['1.0.0'])
    for (const name of ['ping-1.0.0.tar.zst', 'ping_1.0.0-1_all.deb'])
      fs.truncateSync(path.join(first.folder, name), 20)
    const { folder, deltas, warnings } = await cutNext('1.2.0')
    expect(deltas.map(({ from }) => from)).toEqual(['1.1.0'])
    expect(warnings).toEqual(['DELTA_LEFT_OUT'])
    expect(fs.readdirSync(folder).filter(name => name.includes('from-1.0.0'))).toEqual([])

    const { manifest } = await openRelease(folder, '1.2.0')
    const old = await openRelease(second.folder, '1.1.0')
    const oldFolder = tempFolder()
    await extractPayload({ ...old, wanted: 'all', folder: oldFolder })
    const target = tempFolder()
    const delta = openDelta(path.join(folder, deltas[0]!.name), manifest)
    const written = await applyDelta({ delta, manifest, oldFolder, folder: target })
    expect([...written].toSorted()).toEqual(['built', 'package.json'])
    expect(fs.readFileSync(path.join(target, 'package.json'), 'utf8')).toContain('"1.2.0"')
  })

  it('are made from the vendor repository where dist has not the release any more, and built again like everything else', async () => {
    const repository = pingRepository()
    const { folder: cwd, environment } = repository
    await cutVersion(repository, '1.0.0')
    const vendor = await makeRepository(tempFolder(), { applications: ['ping'] })
    const options = { cwd, environment, repository: vendor.folder, keys: vendor.keys, remote: 'origin' }
    await upload({ ...options, version: '1.0.0', planOnly: false }, recordedTools())
    fs.rmSync(path.join(cwd, 'dist'), { recursive: true })
    repository.commit('fix: more', { NOTES: 'x' })
    const { deltas, warnings } = await cutVersion(repository, '1.1.0', { repository: vendor.folder })
    expect(deltas.map(({ name, from }) => [name, from])).toEqual([['ping-1.1.0.from-1.0.0.delta', '1.0.0']])
    expect(warnings).toEqual([])

    await upload({ ...options, version: '1.1.0', planOnly: false }, recordedTools())
    expect(fs.existsSync(path.join(vendor.folder, 'pool/ping/1.1.0/ping-1.1.0.from-1.0.0.delta'))).toBe(true)
    await rebuildRelease({ ...options, version: '1.1.0' }, recordedTools())
    // Without its base the delta is taken as it is; everything else is equal still.
    const tools = recordedTools()
    await rebuildRelease({ cwd, environment, version: '1.1.0', distFolder: path.join(cwd, 'dist') }, tools)
    expect(tools.result<RebuildResult>().notCompared).toEqual(['ping-1.1.0.from-1.0.0.delta'])
  })
})
