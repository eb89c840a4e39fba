import { digestFileSync, type FileDigest } from './file-digest.ts'
import { answerOrders } from './thread-pool.ts'

/** Files to digest, each told in its place; undefined for one that is not there. */
export interface DigestOrder {
  readonly files: readonly string[]
}

answerOrders(({ files }: DigestOrder): readonly (FileDigest | undefined)[] => files.map(digestFileSync))
