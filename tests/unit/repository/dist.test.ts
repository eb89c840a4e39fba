import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { cutVersions, filesOf, newestCut, readCut } from '../../../src/repository/dist.ts'
import { makeRelease } from '../../support/made-release.ts'
import { tempFolder } from '../../support/temp.ts'

describe('dist', () => {
  it('knows the newest release by precedence, and nothing that is not one', () => {
    const distFolder = tempFolder()
    for (const version of ['1.9.0', '1.10.0', '1.10.0-rc.1']) makeRelease({ distFolder, version })
    fs.mkdirSync(path.join(distFolder, '2.0.0'))
    fs.mkdirSync(path.join(distFolder, '.1.11.0.partial'))
    expect(newestCut(distFolder)).toBe('1.10.0')
    expect(cutVersions(distFolder).toSorted()).toEqual(['1.10.0', '1.10.0-rc.1', '1.9.0'])
  })

  it('says when there is nothing', () => {
    expect(() => newestCut(path.join(tempFolder(), 'dist'))).toThrow(
      expect.objectContaining({ code: 'RELEASE_NOT_CUT' }),
    )
  })

  it('reads a layer from the tarball that it is', () => {
    const record = makeRelease({ distFolder: tempFolder(), version: '1.0.0' })
    const [tarball] = record.components[0]!.artifacts
    const files = filesOf(record).filter(file => file.digest === tarball?.digest)
    expect(files.map(file => file.path)).toEqual(['notes-1.0.0.tar.gz', 'notes-1.0.0.tar.gz'])
    expect(files.map(file => file.key.split('/')[0])).toEqual(['pool', 'oci'])
  })

  it('names the first file that is missing or changed', async () => {
    const distFolder = tempFolder()
    const record = makeRelease({ distFolder, version: '1.0.0' })
    const file = path.join(distFolder, '1.0.0', record.components[0]!.artifacts[1]!.name)
    fs.appendFileSync(file, 'x')
    await expect(readCut(distFolder, '1.0.0', () => {})).rejects.toMatchObject({
      code: 'RELEASE_DAMAGED',
      details: { path: file },
    })
    fs.rmSync(file)
    await expect(readCut(distFolder, '1.0.0', () => {})).rejects.toMatchObject({ code: 'RELEASE_DAMAGED' })
  })

  it('does not take one version for another', async () => {
    const distFolder = tempFolder()
    makeRelease({ distFolder, version: '1.0.0' })
    fs.renameSync(path.join(distFolder, '1.0.0'), path.join(distFolder, '1.0.1'))
    await expect(readCut(distFolder, '1.0.1', () => {})).rejects.toMatchObject({ code: 'RELEASE_DAMAGED' })
  })
})
