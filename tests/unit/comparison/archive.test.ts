import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { compareArchives } from '../../../src/comparison/archive.ts'
import { writeSourceArchives } from '../../../src/source/archive.ts'
import { tempFolder } from '../../support/temp.ts'

const facts = { folders: [], machine: 'builder', nowSeconds: 1_790_000_000 }

/** Write both archives of some files. */
async function archives(files: Readonly<Record<string, string>>, timeSeconds = 1_700_000_000) {
  const folder = tempFolder()
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text)
  const committed = Object.keys(files).map(name => ({
    path: name,
    mode: name.endsWith('.sh') ? ('100755' as const) : ('100644' as const),
  }))
  const out = tempFolder()
  await writeSourceArchives({ checkout: folder, files: committed, name: 'a', version: '1', timeSeconds, folder: out })
  return (extension: string) => path.join(out, `a-1-source.${extension}`)
}

describe.each(['tar.gz', 'zip'])('two archives .%s', extension => {
  const compare = async (...pair: Awaited<ReturnType<typeof archives>>[]) =>
    (await compareArchives({ released: pair[0]!(extension), rebuilt: pair[1]!(extension) }, facts)).shown

  it('differ by their members', async () => {
    const shown = await compare(
      await archives({ a: 'one\n', b: 'b', 'c.sh': '' }),
      await archives({ a: 'two\n', 'c.sh': '', d: 'd' }),
    )
    expect(shown.map(({ where }) => where)).toEqual(['a-1/a, line 1, byte 0', 'a-1/b', 'a-1/d'])
  })

  it('differ in time and order', async () => {
    const times = await compare(await archives({ a: '' }), await archives({ a: '' }, 1_700_086_400))
    expect(times).toEqual([
      expect.objectContaining({ where: 'a-1/a, time', why: expect.stringContaining('SOURCE_DATE_EPOCH') }),
    ])
    const orders = await compare(await archives({ a: '', b: '' }), await archives({ b: '', a: '' }))
    expect(orders).toEqual([
      expect.objectContaining({ where: 'member 1', why: expect.stringContaining('another order') }),
    ])
  })
})

it('two archives with equal members were packed in another way', async () => {
  const file = (await archives({ a: 'text '.repeat(100) }))('tar.gz')
  const other = path.join(tempFolder(), 'a.tar.gz')
  fs.writeFileSync(other, zlib.gzipSync(zlib.gunzipSync(fs.readFileSync(file)), { level: 1 }))
  const { shown } = await compareArchives({ released: file, rebuilt: other }, facts)
  expect(shown[0]?.why).toContain(`zlib than ${process.versions.zlib}`)
})

it.each(['a.tar.gz', 'a.zip'])('what is no archive is refused: %s', async name => {
  const file = path.join(tempFolder(), name)
  fs.writeFileSync(file, zlib.gzipSync('not an archive at all, in no way, not even a little'.repeat(50)))
  await expect(compareArchives({ released: file, rebuilt: file }, facts)).rejects.toThrow(/tar|zip/)
})
