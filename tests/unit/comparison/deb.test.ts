import { describe, expect, it } from 'vitest'
import { compareDebs } from '../../../src/comparison/deb.ts'
import type { DebOptions } from '../../../src/envelope/deb.ts'
import { makeDeb, testEnvelopes } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

const facts = { folders: [], machine: 'builder', nowSeconds: 1_790_000_000 }

async function made(changes: Partial<DebOptions> = {}, codec: 'zstd' | 'gzip' = 'zstd') {
  const envelopes = await testEnvelopes(tempFolder(), { 'a.txt': 'a' }, { codec })
  const { payloadOffset } = await makeDeb(envelopes, changes)
  return { file: envelopes.debOptions.file, payloadOffset, manifest: envelopes.manifest }
}

describe('two packages', () => {
  it.each(['zstd', 'gzip'] as const)('differ by what they have besides the payload: %s', async codec => {
    const released = await made({}, codec)
    const rebuilt = await made({ copyright: 'Copyright: none\n', scripts: { postinst: 'echo configured\n' } }, codec)
    const { shown } = compareDebs({ released, rebuilt }, { facts, payloadCause: undefined })
    expect(shown.map(({ where }) => where)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^control\.tar, postinst \(mode 755\)/),
        expect.stringMatching(/^data\.tar, \.\/usr\/share\/doc\/app\/copyright \(mode 644\), line 1/),
      ]),
    )
  })

  it('are told once of another payload', async () => {
    const released = await made()
    const { shown } = compareDebs({ released, rebuilt: await made() }, { facts, payloadCause: 'app.tar.zst' })
    expect(shown).toEqual([
      {
        where: 'payload and its manifest',
        released: '',
        rebuilt: '',
        why: 'follows from app.tar.zst',
        cause: 'app.tar.zst',
      },
    ])
    expect(compareDebs({ released, rebuilt: released }, { facts, payloadCause: undefined }).count).toBe(0)
  })
})
