import { ReleaseError } from '../core/error.ts'
import { TarReader } from '../payload/tar-reader.ts'
import { readDeb } from './deb-reader.ts'
import { decompressRange } from './input.ts'

/**
 * Read a package to its end as dpkg unpacks it: its parts in their order, one stream of data, a tar that is one.
 *
 * Errors: DEB_INVALID, TAR_INVALID, ENVELOPE_MISMATCH (the data does not decompress), FILE_IO. Source: deb(5).
 */
export async function assertUnpackable(file: string): Promise<void> {
  const { data } = readDeb(file)
  const codec = /^data\.tar\.(zst|gz)$/.exec(data.name)?.[1]
  if (codec === undefined) {
    throw new ReleaseError(
      'DEB_INVALID',
      `${file} has its files in ${data.name}, expected data.tar.zst or data.tar.gz`,
      {
        details: { path: file },
      },
    )
  }
  const reader = new TarReader({ member: () => {}, content: () => {} })
  await decompressRange(
    { file, offset: data.offset, sizeBytes: data.sizeBytes },
    codec === 'zst' ? 'zstd' : 'gzip',
    bytes => reader.push(bytes),
  )
  reader.finish()
}
