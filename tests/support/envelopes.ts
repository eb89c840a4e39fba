import path from 'node:path'
import { createDeb, type DebArtifact, type DebOptions } from '../../src/envelope/deb.ts'
import { renderChangelog, renderCopyright } from '../../src/envelope/deb-documents.ts'
import { createImage, type ImageOptions, type OciArtifact } from '../../src/envelope/oci.ts'
import type { Codec } from '../../src/payload/manifest.ts'
import { compressedManifest } from '../../src/payload/manifest.ts'
import { type TestFiles, type TestPayload, testEpoch, testPayload, testTree } from './payload.ts'

const maintainer = 'Ada Example <ada@example.org>'

/** A payload with its MD5 sums, and the options for the envelopes around it. */
export interface TestEnvelopes extends TestPayload {
  readonly debOptions: DebOptions
  readonly imageOptions: ImageOptions
}

/** How a unit is treated when nothing else is said. */
export const unitLife = { enable: true, start: true, restart: 'restart' } as const

/** A package with nothing but its payload and documents. */
export const plainPackage = {
  scripts: {},
  units: [],
  accounts: {},
  alternatives: [],
  triggers: [],
  files: [],
  conffiles: [],
  removedConffiles: [],
  manpages: [],
  overrides: [],
} as const satisfies Partial<DebOptions>

/** Pack files into a tarball in `folder`, and say how its package and image are made. */
export async function testEnvelopes(
  folder: string,
  files: TestFiles,
  options: { readonly codec?: Codec['name'] } = {},
): Promise<TestEnvelopes> {
  const tree = testTree(path.join(folder, 'tree'), files)
  const payload = await testPayload(folder, tree, options)
  const { manifest, file, artifact, md5sums } = payload
  const storedManifest = compressedManifest(manifest)
  const debOptions: DebOptions = {
    file: path.join(folder, 'app_1.0.0-1_all.deb'),
    tarball: { file, payloadOffset: artifact.payloadOffset },
    manifest,
    storedManifest,
    control: {
      package: 'app',
      version: '1.0.0-1',
      architecture: 'all',
      maintainer,
      summary: 'application for tests',
      description: 'It does nothing.\n\nBut it does so reliably.',
      fields: {
        Depends: ['libc6 (>= 2.36)', 'adduser'],
        Section: 'misc',
        Priority: 'optional',
        Homepage: 'https://example.org/app',
      },
    },
    ...plainPackage,
    changelog: renderChangelog({
      source: 'app',
      maintainer,
      entries: [{ version: '1.0.0-1', timeSeconds: testEpoch, changes: '- One' }],
    }),
    copyright: renderCopyright({ name: 'app', licence: 'Apache-2.0', maintainer, sourceDateEpoch: testEpoch }),
    md5sums,
  }
  const imageOptions: ImageOptions = {
    folder: path.join(folder, 'app-1.0.0.oci'),
    tarball: { file, artifact },
    manifest,
    storedManifest,
    platforms: ['linux/amd64', 'linux/arm64'],
    config: {
      entrypoint: ['/opt/app/bin/run.sh'],
      cmd: [],
      user: '65534:65534',
      environment: { B: '2', A: '1' },
      ports: ['8080/tcp'],
      volumes: ['/data'],
      labels: { a: 'b' },
    },
    annotations: { 'org.opencontainers.image.title': 'app' },
  }
  return { ...payload, debOptions, imageOptions }
}

/** Make the package with some options changed. */
export function makeDeb(envelopes: TestEnvelopes, changes: Partial<DebOptions> = {}): Promise<DebArtifact> {
  return createDeb({ ...envelopes.debOptions, ...changes })
}

/** Make the image with some options changed. */
export function makeImage(envelopes: TestEnvelopes, changes: Partial<ImageOptions> = {}): OciArtifact {
  return createImage({ ...envelopes.imageOptions, ...changes })
}
