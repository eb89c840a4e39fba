import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { certificateStamp, readCertificate } from '../../../../src/gate/edge/certificate.ts'
import { makeCertificate } from '../../../support/certificates.ts'
import { codeOf } from '../../../support/codes.ts'
import { tempFolder } from '../../../support/temp.ts'
import { needTool } from '../../../support/tools.ts'

describe.skipIf(!needTool('openssl'))('a certificate', () => {
  const folder = tempFolder()
  const good = makeCertificate(folder, 'good')
  const other = makeCertificate(folder, 'other')
  const shared = path.join(folder, 'shared.key')
  fs.copyFileSync(good.key, shared)
  const file = (name: string, text: string) => {
    fs.writeFileSync(path.join(folder, name), text, { mode: 0o600 })
    return path.join(folder, name)
  }

  it('is ready with its own key', () => expect(readCertificate(good).context).toBeDefined())

  it.each([0o604, 0o644, 0o660, 0o602, 0o610])('is refused while its key has mode %o', mode => {
    fs.chmodSync(shared, mode)
    expect(codeOf(() => readCertificate({ ...good, key: shared }))).toBe('GATE_TLS_KEY_EXPOSED')
  })

  it.skipIf(process.getuid?.() !== 0)('may have a key of root that a group reads, and no other', () => {
    fs.chmodSync(shared, 0o640)
    expect(codeOf(() => readCertificate({ ...good, key: shared }))).toBeUndefined()
    fs.chownSync(shared, 65_534, 0)
    expect(codeOf(() => readCertificate({ ...good, key: shared }))).toBe('GATE_TLS_KEY_EXPOSED')
  })

  it.each([
    ['the key of another', { ...good, key: other.key }],
    ['no key', { ...good, key: path.join(folder, 'none.key') }],
    ['no certificate', { ...good, certificate: path.join(folder, 'none.pem') }],
    ['a folder', { ...good, certificate: folder }],
    ['an empty certificate', { ...good, certificate: file('empty.pem', '') }],
    ['half a certificate', { ...good, certificate: file('half.pem', '-----BEGIN CERTIFICATE-----\nMIIB') }],
    ['an empty key', { ...good, key: file('empty.key', '') }],
  ])('is refused with %s', (_what, files) => expect(codeOf(() => readCertificate(files))).toBe('GATE_TLS_INVALID'))

  it('shows that its files changed, through a link too', () => {
    const link = path.join(folder, 'live.pem')
    fs.symlinkSync('good.pem', link)
    const stamp = () => certificateStamp({ certificate: link, key: good.key })
    const before = stamp()
    expect(stamp()).toBe(before)
    fs.symlinkSync('other.pem', `${link}.new`)
    fs.renameSync(`${link}.new`, link)
    expect(stamp()).not.toBe(before)
    fs.rmSync(link)
    expect(stamp()).toContain('none')
  })
})
