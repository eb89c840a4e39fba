import { beforeAll, describe, expect, it } from 'vitest'
import { MemberComparison } from '../../../src/envelope/members.ts'
import { rootFolders, tarEntryOf } from '../../../src/payload/entry.ts'
import type { PayloadManifest } from '../../../src/payload/manifest.ts'
import type { TarEntry } from '../../../src/payload/tar.ts'
import { testEnvelopes } from '../../support/envelopes.ts'
import { tempFolder } from '../../support/temp.ts'

let manifest: PayloadManifest

beforeAll(async () => {
  const made = await testEnvelopes(tempFolder(), { 'lib/a.txt': '', link: { link: 'lib/a.txt' } })
  manifest = made.manifest
})

/** Read the payload and then further members, without content. */
function compare(...tail: readonly TarEntry[]): readonly string[] {
  const comparison = new MemberComparison(manifest, 'app.deb')
  const offsets = new Map(manifest.files.map(file => [file.path, file.type === 'file' ? file.tarOffset : 0]))
  for (const entry of rootFolders(manifest.root)) comparison.member(entry, 0)
  for (const file of manifest.files) comparison.member(tarEntryOf(manifest.root, file), offsets.get(file.path)!)
  for (const entry of tail) comparison.member(entry, 0)
  comparison.finish()
  return comparison.tail.map(({ name }) => name)
}

const file = (name: string): TarEntry => ({ type: 'file', name, mode: 0o644, sizeBytes: 0 })
const folder = (name: string): TarEntry => ({ type: 'directory', name, mode: 0o755 })

describe('what a package adds behind its payload', () => {
  it('is listed', () => {
    expect(compare(folder('./etc/'), file('./etc/app.conf'))).toEqual(['./etc/', './etc/app.conf'])
  })

  it('takes no place that is taken', () => {
    const { root } = manifest
    const taken = [
      file(`./${root}/lib/a.txt`),
      file(`./${root}/lib`),
      folder(`./${root}/lib/`),
      folder(`./${root}/link/`),
      { type: 'symlink', name: `./${root}/link`, linkTarget: 'elsewhere' } as const,
    ]
    for (const entry of taken) {
      expect(() => compare(entry)).toThrow(expect.objectContaining({ code: 'ENVELOPE_MISMATCH' }))
    }
    expect(() => compare(file('./etc'), folder('./etc/'))).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_MISMATCH' }),
    )
  })
})
