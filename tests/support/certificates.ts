import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { CertificateFiles } from '../../src/gate/edge/certificate.ts'

/** Make a certificate for this machine, signed by itself, with its key, as `NAME.pem` and `NAME.key` of a folder. Pre: openssl is there. */
export function makeCertificate(folder: string, name: string): CertificateFiles {
  const files = { certificate: path.join(folder, `${name}.pem`), key: path.join(folder, `${name}.key`) }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', files.key]
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...key, '-out', files.certificate, ...subject], { stdio: 'pipe' })
  fs.chmodSync(files.key, 0o600)
  return files
}
