import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../../src/core/digest.ts'
import { renderStanza } from '../../../../src/repository/apt/control.ts'
import { generateAptKey, renderKeyring, signRelease } from '../../../../src/repository/apt/sign.ts'
import { verifyListed } from '../../../../src/repository/apt/verify.ts'
import type { AptCompression } from '../../../../src/trust/layout.ts'
import { listedPackage, type MadeSuites, makeSuites } from '../../../support/apt-suite.ts'
import { debArtifact } from '../../../support/tiny-deb.ts'

const filename = 'pool/notes/1.0.0/notes_1.0.0-1_all.deb'
const deb = debArtifact('notes', '1.0.0-1')

async function published(compressions: readonly AptCompression[] = ['gz', 'zst']): Promise<MadeSuites> {
  const made = await makeSuites({ compressions })
  const stanza = renderStanza(deb, filename)
  await made.publish('stable', { added: [listedPackage('notes', '1.0.0-1', { architecture: 'all', stanza })] })
  return made
}

function verify(made: MadeSuites, more: object = {}): Promise<void> {
  const { aptKey } = made.description
  return verifyListed(made.read, { suite: 'stable', component: 'main', deb, filename, aptKey, ...more })
}

/** Sign a Release file that says something else. */
async function resign(made: MadeSuites, change: (text: string) => string): Promise<void> {
  const text = change(made.files.get('dists/stable/Release')!.toString())
  const { inRelease } = await signRelease(text, made.keys, made.nowMs)
  made.files.set('dists/stable/InRelease', Buffer.from(inRelease))
}

describe('verifyListed', () => {
  it.each([[['gz', 'zst']], [['gz']], [[]]] as const)(
    'reads the index in whatever form there is: %j',
    async compressions => {
      await verify(await published(compressions))
    },
  )

  it('is content with the signature of one of the keys that it knows', async () => {
    const made = await published()
    const other = await generateAptKey('other', made.nowMs)
    await verify(made, { aptKey: await renderKeyring([other, ...made.keys]) })
    const alone = verify(made, { aptKey: await renderKeyring([other]) })
    await expect(alone).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
  })

  it.each([
    ['another place', { filename: 'pool/notes/1.0.0/other.deb' }],
    ['other bytes', { deb: { ...deb, digest: digestOf('other') } }],
    ['a component that is not there', { component: 'extra' }],
    ['an architecture that has it not', { deb: { ...deb, architecture: 'riscv64' } }],
  ])('misses %s', async (_, more) => {
    await expect(verify(await published(), more)).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('refuses a changed InRelease and a changed index', async () => {
    const made = await published()
    const inRelease = made.files.get('dists/stable/InRelease')!
    made.files.set(
      'dists/stable/InRelease',
      Buffer.from(inRelease.toString().replace('Suite: stable', 'Suite: stably')),
    )
    await expect(verify(made)).rejects.toMatchObject({ code: 'TRUST_SIGNATURE' })
    made.files.set('dists/stable/InRelease', inRelease)
    for (const key of made.files.keys()) if (key.includes('by-hash')) made.files.set(key, Buffer.from('other'))
    await expect(verify(made)).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })

  it('unpacks no more than the Release file says, however it is signed', async () => {
    const made = await published(['gz'])
    const bomb = gzipSync(Buffer.alloc(1024 * 1024))
    await resign(made, text =>
      text.replaceAll(/^ \S+ \d+ (.*\.gz)$/gm, ` ${hexOf(digestOf(bomb))} ${bomb.byteLength} $1`),
    )
    for (const folder of ['all', 'amd64', 'arm64']) {
      made.files.set(`dists/stable/main/binary-${folder}/by-hash/SHA256/${hexOf(digestOf(bomb))}`, bomb)
    }
    await expect(verify(made)).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
    await resign(made, text => text.replaceAll(/^( \S+) \d+ (.*Packages)$/gm, `$1 ${1024 ** 3} $2`))
    await expect(verify(made)).rejects.toMatchObject({ code: 'TRUST_MISMATCH' })
  })
})
