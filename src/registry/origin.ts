import { ReleaseError } from '../core/error.ts'
import { isLoopback } from '../core/loopback.ts'
import { exchange } from '../sys/exchange.ts'
import { apiHost } from './reference.ts'

/**
 * Find the scheme and host that a registry is spoken to.
 *
 * TLS always, but for `plainHttp` and for registries on loopback that do not speak it: what stays on this machine needs none. A certificate
 * that does not fit never leads to plain HTTP. Further authorities come from NODE_EXTRA_CA_CERTS.
 * Errors: HTTP_FAILED (nothing listens, certificate not trusted).
 */
export async function findOrigin(
  registry: string,
  options: { readonly plainHttp: boolean; readonly signal: AbortSignal },
): Promise<URL> {
  const host = apiHost(registry)
  const plain = new URL(`http://${host}`)
  if (options.plainHttp) return plain
  const secure = new URL(`https://${host}`)
  if (!isLoopback(plain.hostname)) return secure
  try {
    const answer = await exchange(new URL('/v2/', secure), { method: 'HEAD', signal: options.signal })
    await answer.finish()
    return secure
  } catch (caught) {
    if (speaksNoTls(caught)) return plain
    throw caught
  }
}

/** OpenSSL's answer to bytes that are no TLS record; some servers hang up instead. */
function speaksNoTls(caught: unknown): boolean {
  if (!(caught instanceof ReleaseError) || caught.code !== 'HTTP_FAILED') return false
  const { errno } = caught.details
  return errno === 'EPROTO' || errno === 'ECONNRESET' || String(errno).startsWith('ERR_SSL_')
}
