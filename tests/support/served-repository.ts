import fs from 'node:fs'
import path from 'node:path'
import { type Digest, hexOf } from '../../src/core/digest.ts'
import type { Document } from '../../src/repository/document.ts'
import { renderLayout } from '../../src/repository/oci/layout.ts'
import type { ListedRelease, ReleaseIndex } from '../../src/trust/layout.ts'
import { type MadeImage, type MadeImageOptions, makeImage } from './made-image.ts'

/** What a repository that is made by hand has of one application. */
export interface HandMadeIndex {
  readonly application: string
  readonly images: Readonly<Record<string, MadeImage>>
  readonly channels?: ReleaseIndex['channels']
  readonly yanked?: readonly string[]
}

/** Make an image whose blobs are where those of an application are. */
export function putImage(
  repository: string,
  application: string,
  options: Omit<MadeImageOptions, 'folder'> = {},
): MadeImage {
  return makeImage({
    referrers: [`said of ${options.seed}`],
    ...options,
    folder: path.join(repository, 'oci', application),
  })
}

/** Publish the layout of an application as publishing does: by rename, as the last thing. */
export function publishLayout(repository: string, index: HandMadeIndex): void {
  for (const document of renderLayout(indexOf(index))) putDocument(repository, document)
}

/** Put a file where a publication puts it. */
export function putDocument(repository: string, { key, bytes }: Pick<Document, 'key' | 'bytes'>): void {
  const file = path.join(repository, key)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const temporary = `${path.dirname(file)}/.${path.basename(file)}.tmp`
  fs.writeFileSync(temporary, bytes)
  fs.renameSync(temporary, file)
}

function indexOf({ application, images, channels = {}, yanked = [] }: HandMadeIndex): ReleaseIndex {
  const releases = Object.entries(images).map(([version, image]): ListedRelease => {
    const sizeOf = (digest: Digest) => fs.statSync(image.file(digest)).size
    const listed = image.referrers.map(digest => ({ digest, sizeBytes: sizeOf(digest), artifactType: 'text/x-note' }))
    return {
      version,
      commit: hexOf(image.digest).slice(0, 40),
      sourceDateEpoch: 0,
      snapshot: false,
      record: { sizeBytes: 1, digest: image.digest },
      ...(yanked.includes(version) ? { yanked: { reason: 'tests', atMs: 0 } } : {}),
      debs: [],
      images: [{ digest: image.digest, sizeBytes: sizeOf(image.digest), referrers: listed }],
      python: [],
    }
  })
  return { schema: 1, application, releases, channels }
}
