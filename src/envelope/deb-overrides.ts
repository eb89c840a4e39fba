import type { PayloadManifest } from '../payload/manifest.ts'
import type { DebControl } from './deb-control.ts'
import type { LintianOverride } from './deb-documents.ts'

/**
 * Name what lintian complains about in every package of ours, because it is meant so.
 *
 * Lintian judges packages for Debian's archive, which takes less than deb(5) allows and has bugs to close. One that is issued no more (by a newer
 * lintian) does no harm: `unused-override` is information.
 */
export function designOverrides(
  control: DebControl,
  manifest: PayloadManifest,
  changelog: string,
): readonly LintianOverride[] {
  const overrides: LintianOverride[] = [
    {
      tag: 'misplaced-extra-member-in-deb',
      context: '_manifest.zst *',
      reason: 'The payload manifest; deb(5) lets readers pass over members whose names begin with an underscore.',
    },
  ]
  if (manifest.codec.name === 'zstd') {
    const reason = 'The payload is shared with a tarball and an image; deb(5) has zstd since dpkg 1.21.18 (Debian 12).'
    overrides.push({ tag: 'malformed-deb-archive', context: '*data.tar.zst*', reason })
  }
  if (/^opt(\/|$)/.test(manifest.root)) {
    const reason = 'A vendor’s package, installed beside those of Debian: /opt is for add-on software.'
    overrides.push({ tag: 'dir-or-file-in-opt', reason })
  }
  const entries = changelog.split('\n').filter(line => line.startsWith(' -- ')).length
  if (entries === 1 && control.version.endsWith('-1')) {
    const reason = 'A vendor’s package: no bug of Debian asks for it.'
    overrides.push({ tag: 'initial-upload-closes-no-bugs', reason })
  }
  return overrides
}
