import fs from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import { ReleaseError } from '../../core/error.ts'
import { secureContextOptions } from './tls-options.ts'

/** Where a certificate with its chain and its key are: PEM files. */
export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

/**
 * Read a certificate and its key and make ready to speak TLS with them.
 *
 * Errors: GATE_TLS_KEY_EXPOSED, GATE_TLS_INVALID when a file cannot be read or both do not belong together; no message has a byte of the key.
 */
export function readCertificate(files: CertificateFiles): SecureContext {
  const cert = readFile(files.certificate, () => {})
  const key = readFile(files.key, stat => assertPrivate(files.key, stat))
  try {
    return createSecureContext({ ...secureContextOptions, cert, key })
  } catch (caught) {
    const why = caught instanceof Error && 'code' in caught ? String(caught.code) : 'unreadable'
    throw new ReleaseError('GATE_TLS_INVALID', `${files.certificate} cannot be used with ${files.key}: ${why}`, {
      details: { certificate: files.certificate, key: files.key },
    })
  }
}

/** Say what the files are now, so that a change is noticed without reading them. Links are followed: tools that renew certificates swap them. */
export function certificateStamp(files: CertificateFiles): string {
  return [files.certificate, files.key]
    .map(file => fs.statSync(file, { throwIfNoEntry: false }))
    .map(stat => (stat === undefined ? 'none' : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}`))
    .join(' ')
}

function readFile(file: string, check: (stat: fs.Stats) => void): Buffer {
  let descriptor: number | undefined
  try {
    descriptor = fs.openSync(file, 'r')
    // Asked of what is open: the name could lead elsewhere a moment later.
    check(fs.fstatSync(descriptor))
    return fs.readFileSync(descriptor)
  } catch (caught) {
    if (caught instanceof ReleaseError) throw caught
    throw new ReleaseError('GATE_TLS_INVALID', `${file} cannot be read`, { cause: caught, details: { path: file } })
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor)
  }
}

/** Root's keys may be read by a group, which is how distributions share one; nobody else's. */
function assertPrivate(file: string, stat: fs.Stats): void {
  const tooOpen = stat.uid === 0 ? 0o037 : 0o077
  if ((stat.mode & tooOpen) === 0) return
  const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
  throw new ReleaseError('GATE_TLS_KEY_EXPOSED', `${file} has mode ${mode}: others can read or change the key`, {
    details: { path: file, mode },
  })
}
