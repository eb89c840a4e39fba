import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { compareImages } from '../../../src/comparison/image.ts'
import type { ImageOptions } from '../../../src/envelope/oci.ts'
import { makeImage, testEnvelopes } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

const facts = { folders: [], machine: 'builder', nowSeconds: 1_790_000_000 }
const none = new Map<string, { readonly rebuilt: string; readonly cause: string }>()

async function made(change: (options: ImageOptions) => Partial<ImageOptions> = () => ({}), text = 'a') {
  const folder = tempFolder()
  const envelopes = await testEnvelopes(folder, { 'a.txt': text })
  const artifact = await makeImage(envelopes, change(envelopes.imageOptions))
  return { folder: path.join(folder, artifact.name), artifact, tarball: envelopes.artifact }
}

describe('two images', () => {
  it('that are the same have no difference', async () => {
    expect(compareImages({ released: await made(), rebuilt: await made() }, { facts, consequences: none }).count).toBe(
      0,
    )
  })

  it('differ in configuration and annotations, for every platform', async () => {
    const rebuilt = await made(({ config }) => ({
      config: { ...config, user: '1000:1000' },
      annotations: { 'org.opencontainers.image.title': 'other' },
    }))
    const { shown } = compareImages({ released: await made(), rebuilt }, { facts, consequences: none })
    const own = shown
      .filter(({ cause }) => cause === undefined)
      .map(({ where, released, rebuilt }) => [where, released, rebuilt])
    expect(own).toEqual(
      expect.arrayContaining([
        ['index, annotations.org.opencontainers.image.title', 'app', 'other'],
        ['index, manifests[0], config, config.User', '65534:65534', '1000:1000'],
        ['index, manifests[1], config, config.User', '65534:65534', '1000:1000'],
      ]),
    )
  })

  it('name the layer that differs, and what it follows from', async () => {
    const [released, rebuilt] = [await made(), await made(undefined, 'b')]
    const shownFor = (consequences: typeof none) => compareImages({ released, rebuilt }, { facts, consequences }).shown
    expect(shownFor(none).find(({ where }) => /layers\[\d\]\.digest$/.test(where))?.why).toContain(
      'layer below the payload',
    )
    const known = new Map([
      [released.tarball.digest as string, { rebuilt: rebuilt.tarball.digest, cause: 'app.tar.zst' }],
    ])
    expect(shownFor(known).some(({ why }) => why.includes('below the payload'))).toBe(false)
  })
})
