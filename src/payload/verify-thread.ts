import { answerOrders } from '../sys/thread-pool.ts'
import type { ExpectedFile, TreeDifference } from './tree-difference.ts'
import { fileDifferences } from './verify-file.ts'

/** Files to compare, as JSON, which costs less than a clone. */
export interface VerifyOrder {
  readonly folder: string
  readonly ownerId: number | undefined
  readonly filesJson: string
}

/** A file as an order lists it: path, mode, size, digest. */
export type ListedFile = readonly [path: string, mode: number, sizeBytes: number, digest: string]

answerOrders(({ folder, ownerId, filesJson }: VerifyOrder): readonly TreeDifference[] => {
  const files = JSON.parse(filesJson) as readonly ListedFile[]
  return files.flatMap(([path, mode, sizeBytes, digest]) => {
    const file: ExpectedFile = { type: 'file', path, mode, sizeBytes, digest }
    return fileDifferences(`${folder}/${path}`, file, ownerId)
  })
})
