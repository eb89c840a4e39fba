import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/core/digest.ts'
import { eachInParallel } from '../../src/sys/parallel.ts'
import { rootKey } from '../../src/trust/layout.ts'
import { type ChannelRepository, channelRepository, type RemotePlace } from '../support/channel-repository.ts'
import { assertReadable } from '../support/repository-readers.ts'
import { s3Place, s3Server } from '../support/s3-server.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'
import { webdavServer } from '../support/webdav-server.ts'

/** The commands that change a repository, at places that are no folder: clients are to see what they would see of a folder. */

const commands: readonly (readonly string[])[] = [
  ['promote', '1.1.0-rc.1', '--to', 'stable'],
  ['yank', '1.0.0', '--reason', 'loses data'],
  ['reindex'],
  ['prune', '--keep', '1', '--apply'],
]

async function webdavPlace(): Promise<RemotePlace> {
  const { url, publicUrl, root } = await webdavServer({ user: 'publisher', password: 's3cret' })
  const netrc = path.join(tempFolder(), 'netrc')
  fs.writeFileSync(netrc, 'machine 127.0.0.1 login publisher password s3cret\n', { mode: 0o600 })
  const download = async (folder: string) => fs.cpSync(root, folder, { recursive: true })
  return { address: url.href, url: publicUrl, environment: { CUTOVER_NETRC: netrc }, download }
}

async function bucketPlace(): Promise<RemotePlace> {
  const server = await s3Server()
  const prefix = 'vendor/repository'
  const place = s3Place(server, prefix)
  const download = async (folder: string) => {
    const keys = await server.list(`${prefix}/`)
    await eachInParallel(keys, { parallelism: 8, stop: () => {} }, async key => {
      const name = key.slice(prefix.length + 1)
      const file = path.join(folder, decodeURIComponent(name))
      const answer = await fetch(`${place.url}/${name}`)
      expect({ key, status: answer.status }).toEqual({ key, status: 200 })
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, Buffer.from(await answer.arrayBuffer()))
    })
  }
  return { ...place, download }
}

/** How the commands ended, what clients are offered then, and the files whose names follow from no time and no key. */
async function outcomeOf(repository: ChannelRepository): Promise<readonly unknown[]> {
  for (const version of ['1.0.0', '1.1.0-rc.1']) await repository.release(version)
  const ends: unknown[] = []
  for (const command of commands) {
    const { exitCode, changed, error } = await repository.run(...command)
    ends.push({ command, exitCode, changed, error })
  }
  const offers = await repository.offers()
  return [ends, offers, repository.files().filter(key => /^(pool|simple|pages)\/|html$/.test(key))]
}

describe.skipIf(!needTool('nginx', 'openssl'))('promote, yank, reindex and prune', () => {
  let inFolder: Promise<readonly unknown[]> | undefined

  it.each([
    ['WebDAV', webdavPlace],
    ['S3', bucketPlace],
  ])('leave on %s what they leave in a folder', async (_, start) => {
    inFolder ??= channelRepository().then(outcomeOf)
    const [ends, offers] = await inFolder
    expect(ends).toEqual(commands.map(command => ({ command, exitCode: 0, changed: true, error: undefined })))
    expect(offers).toMatchObject({ apt: { stable: ['1.1.0~rc.1'] }, targets: { stable: '1.1.0-rc.1' }, yanked: [] })
    const place = await start()
    const repository = await channelRepository(place)
    expect(await outcomeOf(repository)).toEqual(await inFolder)
    const { folder } = repository
    const fingerprint = digestOf(fs.readFileSync(path.join(folder, rootKey)))
    await assertReadable({ folder, url: place.url, fingerprint })
  })
})
