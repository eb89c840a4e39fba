import { digestOf } from '../../../../src/core/digest.ts'
import { generateTufKey } from '../../../../src/repository/keys/folder.ts'
import type { TargetReader } from '../../../../src/repository/target.ts'
import { defaultLifetimesDays } from '../../../../src/repository/tuf/expiry.ts'
import type { MetadataFile, Signing } from '../../../../src/repository/tuf/metadata.ts'
import { type TufSigner, tufSigner } from '../../../../src/repository/tuf/signer.ts'

/** A signer with a key of its own. */
export function newSigner(role = 'any'): TufSigner {
  const key = generateTufKey(role)
  return tufSigner(key.publicKey, () => key)
}

/** Keys in memory: one per role, made when it is first asked for; `asked` tells which were. */
export function memorySigning(nowMs = Date.parse('2026-11-21T10:11:12.345Z')) {
  const known = new Map<string, readonly TufSigner[]>()
  const asked: string[] = []
  const signing: Signing = {
    nowMs,
    lifetimesDays: defaultLifetimesDays,
    signers: role => {
      asked.push(role)
      const signers = known.get(role) ?? [newSigner(role)]
      known.set(role, signers)
      return signers
    },
  }
  return { signing, asked, known }
}

/** A target that holds some files in memory. */
export function memoryTarget(files: readonly Pick<MetadataFile, 'key' | 'bytes'>[], others: readonly string[] = []) {
  const byKey = new Map(files.map(file => [file.key, file.bytes]))
  for (const key of others) byKey.set(key, Buffer.from('left behind'))
  const got: string[] = []
  const target: TargetReader = {
    name: 'memory',
    get: async key => {
      got.push(key)
      return byKey.get(key)
    },
    head: async key => {
      const bytes = byKey.get(key)
      return bytes === undefined ? undefined : { sizeBytes: bytes.byteLength, digest: digestOf(bytes) }
    },
    read: () => {
      throw new Error('metadata is small')
    },
  }
  return { target, got }
}
