import { Metadata, MetadataKind, type Root } from '@tufjs/models'
import { trustError } from './failure.ts'

/** Read a root and check that it signs itself. Errors: TRUST_SIGNATURE, TRUST_METADATA. Source: TUF §5.3.4. */
export function verifyRoot(bytes: Uint8Array, repositoryUrl: string): Metadata<Root> {
  try {
    const root = Metadata.fromJSON(MetadataKind.Root, JSON.parse(Buffer.from(bytes).toString('utf8')))
    root.verifyDelegate(MetadataKind.Root, root)
    return root
  } catch (caught) {
    throw trustError(caught, repositoryUrl)
  }
}
