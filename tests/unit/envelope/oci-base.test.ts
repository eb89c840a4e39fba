import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ImagePlatform } from '../../../src/envelope/oci.ts'
import { type BaseOptions, readBase } from '../../../src/envelope/oci-base.ts'
import { baseLayout, type TestDescriptor, TestLayout, testTypes } from '../../support/base-layout.ts'
import { tempFolder } from '../../support/temp.ts'

const base = tempFolder()
let made = 0
const newFolder = () => path.join(base, String(made++))
const both: readonly ImagePlatform[] = ['linux/amd64', 'linux/arm64']

const read = (folder: string, options: Partial<BaseOptions> = {}) =>
  readBase({ folder, name: 'oci:base', platforms: ['linux/amd64'], ...options })

const codeOf = (folder: string, options: Partial<BaseOptions> = {}) =>
  read(folder, options).then(
    () => undefined,
    caught => String(caught.code),
  )

/** A layout with one image, as a test bends it. */
async function bentCode(bend: (layout: TestLayout) => TestDescriptor, options?: Partial<BaseOptions>) {
  const layout = new TestLayout(newFolder())
  layout.finish([[bend(layout)]])
  return await codeOf(layout.folder, options)
}

describe('readBase', () => {
  it('finds manifest, configuration and layers of each platform', async () => {
    const folder = newFolder()
    const index = baseLayout(folder)
    const found = await read(folder, { platforms: both, reference: 'stable', publicName: 'example.org/base:stable' })
    expect(found).toMatchObject({ name: 'oci:base', publicName: 'example.org/base:stable', digest: index.digest })
    expect(found.platforms.map(({ name, config }) => [name, config.variant])).toEqual([
      ['linux/amd64', undefined],
      ['linux/arm64', 'v8'],
    ])
    for (const { layers, config } of found.platforms) {
      expect(layers.map(({ diffId }) => diffId)).toEqual(config.diffIds)
      expect(layers.map(({ mediaType }) => mediaType)).toEqual([
        'application/vnd.oci.image.layer.v1.tar+zstd',
        'application/vnd.oci.image.layer.v1.tar+gzip',
      ])
      for (const { file, sizeBytes } of layers) expect(fs.statSync(file).size).toBe(sizeBytes)
    }
  })

  it('takes a manifest that stands alone, in Docker’s types', async () => {
    const layout = new TestLayout(newFolder())
    const layer = layout.layer([], 'none', 'application/vnd.docker.image.rootfs.diff.tar')
    const manifest = { mediaType: testTypes.dockerManifest }
    const image = layout.image('linux/amd64', [layer], { manifest, configType: testTypes.dockerConfig })
    layout.finish([[image]])
    const found = await read(layout.folder)
    expect(found.digest).toBe(image.digest)
    expect(found.platforms[0]?.layers[0]).toMatchObject({
      codec: 'none',
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
    })
  })

  it('prefers what runs on every processor, and passes over attestations', async () => {
    const layout = new TestLayout(newFolder())
    const layer = layout.layer([])
    const special = layout.image('linux/amd64/v3', [layer])
    const plain = layout.image('linux/amd64', [layer])
    const attestation = layout.image('unknown/unknown', [layer])
    layout.finish([[layout.index([attestation, special, plain])]])
    expect((await read(layout.folder)).platforms[0]?.digest).toBe(plain.digest)
  })

  it('finds an image by name or digest, and asks which one when there are several', async () => {
    const layout = new TestLayout(newFolder())
    const [one, two] = [layout.layer([{ path: 'one' }]), layout.layer([{ path: 'two' }])]
    const [first, second] = [layout.image('linux/amd64', [one]), layout.image('linux/amd64', [two])]
    layout.finish([
      [first, 'first'],
      [second, 'second'],
      [second, 'latest'],
    ])
    expect((await read(layout.folder, { reference: 'second' })).digest).toBe(second.digest)
    expect((await read(layout.folder, { reference: first.digest })).digest).toBe(first.digest)
    await expect(read(layout.folder)).rejects.toMatchObject({
      code: 'IMAGE_UNSUPPORTED',
      details: { there: 'first, second, latest' },
    })
    expect(await codeOf(layout.folder, { reference: 'third' })).toBe('IMAGE_UNSUPPORTED')
  })

  it('says for which platforms there is nothing', async () => {
    const bend = (layout: TestLayout) => layout.index([layout.image('linux/s390x', [layout.layer([])])])
    expect(await bentCode(bend)).toBe('IMAGE_UNSUPPORTED')
    expect(await bentCode(layout => layout.image('linux/arm/v7', [layout.layer([])]))).toBe('IMAGE_UNSUPPORTED')
  })

  it.each<[string, string, (layout: TestLayout) => TestDescriptor]>([
    [
      'a layer that may not be passed on',
      'IMAGE_UNSUPPORTED',
      layout => {
        const type = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip'
        return layout.image('linux/amd64', [layout.layer([], 'gzip', type)])
      },
    ],
    [
      'an artifact',
      'IMAGE_UNSUPPORTED',
      layout => layout.image('linux/amd64', [layout.layer([])], { configType: 'application/vnd.oci.empty.v1+json' }),
    ],
    [
      'ONBUILD instructions',
      'IMAGE_UNSUPPORTED',
      layout => layout.image('linux/amd64', [layout.layer([])], { config: { config: { OnBuild: ['RUN x'] } } }),
    ],
    [
      'fewer diff_ids than layers',
      'IMAGE_INVALID',
      layout => layout.image('linux/amd64', [layout.layer([])], { config: { rootfs: { diff_ids: [] } } }),
    ],
    [
      'diff_ids that are no digests',
      'IMAGE_INVALID',
      layout => layout.image('linux/amd64', [layout.layer([])], { config: { rootfs: { diff_ids: ['../../x'] } } }),
    ],
    [
      'variables that are no texts',
      'IMAGE_INVALID',
      layout => layout.image('linux/amd64', [layout.layer([])], { config: { config: { Env: [1] } } }),
    ],
    [
      'a layer with a path for a digest',
      'IMAGE_INVALID',
      layout => {
        const descriptor = { mediaType: testTypes.config, digest: 'sha256:../../../etc/passwd', size: 1 }
        return layout.image('linux/amd64', [layout.layer([])], { manifest: { layers: [descriptor] } })
      },
    ],
    [
      'a missing layer',
      'IMAGE_INVALID',
      layout => {
        const layer = layout.layer([])
        fs.rmSync(layout.file(layer.descriptor.digest))
        return layout.image('linux/amd64', [layer])
      },
    ],
    [
      'a layer of another size',
      'IMAGE_INVALID',
      layout => {
        const layer = layout.layer([])
        fs.appendFileSync(layout.file(layer.descriptor.digest), 'x')
        return layout.image('linux/amd64', [layer])
      },
    ],
    [
      'a pipe in place of a layer',
      'IMAGE_INVALID',
      layout => {
        const layer = layout.layer([])
        fs.rmSync(layout.file(layer.descriptor.digest))
        execFileSync('mkfifo', [layout.file(layer.descriptor.digest)])
        return layout.image('linux/amd64', [layer])
      },
    ],
    [
      'another configuration',
      'IMAGE_INVALID',
      layout => {
        const image = layout.image('linux/amd64', [layout.layer([])])
        const { config } = JSON.parse(fs.readFileSync(layout.file(image.digest), 'utf8')) as { config: TestDescriptor }
        const bytes = fs.readFileSync(layout.file(config.digest), 'utf8')
        fs.writeFileSync(layout.file(config.digest), bytes.replace('amd64', 'arm64'))
        return image
      },
    ],
    [
      'another manifest',
      'IMAGE_INVALID',
      layout => {
        const image = layout.image('linux/amd64', [layout.layer([])])
        fs.appendFileSync(layout.file(image.digest), ' ')
        return image
      },
    ],
    [
      'indexes in indexes without end',
      'IMAGE_INVALID',
      layout => {
        const image = layout.image('linux/amd64', [layout.layer([])])
        return Array.from({ length: 12 }).reduce<TestDescriptor>(
          below => layout.index([{ ...below, platform: image.platform } as TestDescriptor]),
          image,
        )
      },
    ],
  ])('refuses %s', async (_, code, bend) => {
    expect(await bentCode(bend)).toBe(code)
  })

  it('refuses what is no layout', async () => {
    const folder = newFolder()
    expect(await codeOf(folder)).toBe('IMAGE_INVALID')
    fs.mkdirSync(folder)
    fs.writeFileSync(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
    expect(await codeOf(folder)).toBe('IMAGE_INVALID')
  })
})
