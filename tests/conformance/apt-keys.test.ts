import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { generateAptKey, renderKeyring } from '../../src/repository/apt/sign.ts'
import type { AptKeyFile } from '../../src/repository/keys/key-file.ts'
import { execute, tryExecute } from '../../src/sys/exec.ts'
import { type AptArchive, serveArchive } from '../support/apt-archive.ts'
import { isolatedApt } from '../support/isolated-apt.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/** The keys of an archive are exchanged: signed by the old one, by both, by the new one. */

let archive: AptArchive
let oldKey: AptKeyFile
let newKey: AptKeyFile

beforeAll(async () => {
  archive = await serveArchive()
  oldKey = archive.suites.keys[0]!
  newKey = await generateAptKey('vendor', Date.now())
})
afterAll(() => archive.close())

async function signedBy(...keys: readonly AptKeyFile[]): Promise<void> {
  archive.suites.keys = keys
  await archive.publish('stable', {})
}

async function sourcesWith(...keys: readonly AptKeyFile[]): Promise<string> {
  archive.suites.description = { ...archive.suites.description, aptKey: await renderKeyring(keys) }
  return archive.sources('stable')
}

describe.skipIf(!needTool('apt-get'))('apt', () => {
  it('goes along while keys are exchanged, and no further with the old one alone', async () => {
    await signedBy(oldKey)
    const slow = isolatedApt(await sourcesWith(oldKey))
    const prompt = isolatedApt(await sourcesWith(oldKey, newKey))
    const late = isolatedApt(await sourcesWith(newKey))
    const outcomes = async () => {
      const results = await Promise.all([slow, prompt, late].map(apt => apt.get('update')))
      return results.map(({ exitCode }) => exitCode === 0)
    }
    expect(await outcomes()).toEqual([true, true, false])
    await signedBy(oldKey, newKey)
    expect(await outcomes()).toEqual([true, true, true])
    await signedBy(newKey)
    expect(await outcomes()).toEqual([false, true, true])
  })

  it('believes a key that the sources do not name as little as none', async () => {
    const stranger = await generateAptKey('vendor', Date.now())
    await signedBy(stranger)
    const apt = isolatedApt(await sourcesWith(oldKey, newKey))
    expect((await apt.get('update')).exitCode).not.toBe(0)
  })
})

describe.skipIf(!needTool('gpg', 'gpgv'))('gpgv', () => {
  it.each(['InRelease', 'Release.gpg'])(
    'finds both signatures of %s good, with the keyring that gpg makes of the block',
    async name => {
      await signedBy(oldKey, newKey)
      const folder = tempFolder()
      const [block, keyring] = [path.join(folder, 'key.asc'), path.join(folder, 'keyring')]
      fs.writeFileSync(block, await renderKeyring([oldKey, newKey]))
      await execute(['gpg', '--homedir', folder, '--batch', '--output', keyring, '--dearmor', block])
      const suite = path.join(archive.folder, 'dists/stable')
      const files =
        name === 'InRelease' ? [path.join(suite, name)] : [path.join(suite, name), path.join(suite, 'Release')]
      const { exitCode, stderr } = await tryExecute(['gpgv', '--keyring', keyring, ...files])
      expect(exitCode, stderr).toBe(0)
      expect(stderr.match(/Good signature/g)).toHaveLength(2)
    },
  )
})
