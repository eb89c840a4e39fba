import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute } from '../../src/sys/exec.ts'
import { makeRelease } from '../support/made-release.ts'
import { type MadeRepository, makeRepository } from '../support/made-repository.ts'
import { noise } from '../support/payload.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

// Mounting needs root; without it there is no small disk to fill.
describe.skipIf(process.getuid?.() !== 0 || !needTool('mount', 'umount'))('a repository on a full disk', () => {
  const disk = path.join(tempFolder(), 'disk')
  let repository: MadeRepository

  beforeAll(async () => {
    fs.mkdirSync(disk)
    await execute(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk])
    repository = await makeRepository(disk)
    await repository.publish({ version: '1.0.0-dev.1' })
  })
  afterAll(async () => {
    await execute(['umount', disk])
  })

  it('stays as it was, and takes the release when there is room', async () => {
    const pointer = path.join(repository.folder, 'metadata/timestamp.json')
    const before = fs.readFileSync(pointer)
    const content = noise(512 * 1024).toString('latin1')
    makeRelease({ distFolder: repository.distFolder, version: '1.0.0-dev.2', content })
    const { bavail, bsize } = fs.statfsSync(disk)
    const filler = path.join(disk, 'filler')
    fs.writeFileSync(filler, Buffer.alloc(bavail * bsize - 256 * 1024))
    const publishing = repository.upload('1.0.0-dev.2')
    await expect(publishing).rejects.toMatchObject({ code: 'FILE_NO_SPACE', retryable: true })
    expect(fs.readFileSync(pointer)).toEqual(before)
    const left = fs.readdirSync(repository.folder, { recursive: true }).filter(name => String(name).endsWith('.tmp'))
    expect(left).toEqual([])

    fs.rmSync(filler)
    expect(await repository.upload('1.0.0-dev.2')).toMatchObject({ version: '1.0.0-dev.2' })
  })
})
