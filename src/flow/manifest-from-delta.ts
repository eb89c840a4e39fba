import { digestOf } from '../core/digest.ts'
import { ReleaseError } from '../core/error.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { LocalRelease } from '../prefix/local-release.ts'
import { fetchPack, isOurDisk, type PackRequest } from '../prefix/patch.ts'
import type { ResolvedRelease } from './resolved-release.ts'

/**
 * Make the manifest of a release from that of one that is here, where a delta pack leads from it that is less to fetch than the manifest.
 *
 * Post: the bytes are those that the record names, so that nothing is believed that was not signed; undefined when there is no such pack, it cannot be
 * had or gives other bytes (another version of zstd made them): the manifest is to be fetched. The pack stays for the staging to come.
 * Errors: FILE_IO, FILE_NO_SPACE, the signal's reason.
 */
export async function manifestFromDelta(
  resolved: Pick<ResolvedRelease, 'record' | 'deltas'>,
  locals: readonly LocalRelease[],
  request: PackRequest,
): Promise<{ readonly manifest: PayloadManifest; readonly manifestBytes: Buffer } | undefined> {
  const expected = resolved.record.components[0]?.artifacts.find(artifact => artifact.kind === 'manifest')
  for (const offered of resolved.deltas) {
    if (expected === undefined || offered.sizeBytes >= expected.sizeBytes) continue
    const local = locals.find(({ version }) => version === offered.fromVersion)
    if (local?.manifest === undefined || local.manifestDigest !== offered.fromManifest) continue
    try {
      const [{ readDelta }, { patchManifest }, { compressManifest }] = await Promise.all([
        import('../payload/delta/open.ts'),
        import('../payload/delta/manifest-patch.ts'),
        import('../payload/manifest.ts'),
      ])
      const { index } = readDelta(await fetchPack(request, offered))
      const patched = patchManifest(index, local.manifest)
      const manifestBytes = patched === undefined ? undefined : compressManifest(patched.json)
      if (patched === undefined || digestOf(manifestBytes!) !== expected.digest) return undefined
      return { manifest: patched.manifest, manifestBytes: manifestBytes! }
    } catch (caught) {
      if (request.signal.aborted || !(caught instanceof ReleaseError) || isOurDisk(caught)) throw caught
      // Staging meets the same and tells it.
      return undefined
    }
  }
  return undefined
}
