import { LengthOrHashMismatchError, UnsignedMetadataError } from '@tufjs/models/dist/error.js'
import { BadVersionError, ExpiredMetadataError } from 'tuf-js/dist/error.js'
import { ReleaseError } from '../core/error.ts'

/**
 * Turn what TUF's verification threw into an error of ours, by its class.
 *
 * Errors: TRUST_EXPIRED, TRUST_SIGNATURE, TRUST_ROLLBACK, TRUST_MISMATCH, else TRUST_METADATA; a ReleaseError stays as it is.
 */
export function trustError(caught: unknown, repositoryUrl: string): ReleaseError {
  if (caught instanceof ReleaseError) return caught
  const reason = caught instanceof Error ? caught.message : String(caught)
  const options = { cause: caught, details: { repository: repositoryUrl } }
  if (caught instanceof ExpiredMetadataError) {
    return new ReleaseError('TRUST_EXPIRED', `the metadata of ${repositoryUrl} is out of date: ${reason}`, options)
  }
  if (caught instanceof UnsignedMetadataError) {
    return new ReleaseError('TRUST_SIGNATURE', `the metadata of ${repositoryUrl} is not signed: ${reason}`, options)
  }
  if (caught instanceof BadVersionError) {
    return new ReleaseError('TRUST_ROLLBACK', `${repositoryUrl} offers other versions of metadata: ${reason}`, options)
  }
  if (caught instanceof LengthOrHashMismatchError) {
    return new ReleaseError('TRUST_MISMATCH', `bytes from ${repositoryUrl} are not those signed: ${reason}`, options)
  }
  return new ReleaseError('TRUST_METADATA', `the metadata of ${repositoryUrl} cannot be used: ${reason}`, options)
}
