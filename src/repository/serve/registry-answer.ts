import { stableJson } from '../../core/canonical-json.ts'
import type { BytesAnswer, Headers } from '../../sys/static-answer.ts'

/** The errors of the specification that a registry to read from has. Source: distribution-spec §Error Codes. */
export type RegistryErrorCode =
  | 'BLOB_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'UNSUPPORTED'

/** What every answer of a registry says of itself: older clients tell one from a web server by it. */
export const registryHeaders: Headers = { 'docker-distribution-api-version': 'registry/2.0' }

const statuses: Readonly<Record<RegistryErrorCode, number>> = {
  BLOB_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  UNSUPPORTED: 405,
}

/** Refuse a request as registries do. Source: distribution-spec §Error Codes. */
export function registryError(
  code: RegistryErrorCode,
  message: string,
  { status = statuses[code], headers = {} }: { readonly status?: number; readonly headers?: Headers } = {},
): BytesAnswer {
  return registryJson({ errors: [{ code, message, detail: {} }] }, { status, headers })
}

/** Answer with a document that is made for the request. */
export function registryJson(
  value: unknown,
  { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Headers } = {},
): BytesAnswer {
  const common = { ...registryHeaders, 'content-type': 'application/json', 'cache-control': 'no-cache' }
  return { kind: 'bytes', status, bytes: Buffer.from(stableJson(value)), headers: { ...common, ...headers } }
}
