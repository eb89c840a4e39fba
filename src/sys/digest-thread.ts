import { parentPort } from 'node:worker_threads'
import { toReleaseError } from '../core/error.ts'
import { digestFileSync, type FileDigest } from './file-digest.ts'

/** Files to digest. */
export interface DigestOrder {
  readonly files: readonly string[]
}

/** What the files of an order were found to be, each in its place; or the message of the error that ended it. */
export type DigestReport =
  | { readonly kind: 'digested'; readonly found: readonly (FileDigest | undefined)[] }
  | { readonly kind: 'failed'; readonly message: string }

parentPort?.on('message', ({ files }: DigestOrder) => {
  parentPort?.postMessage(digestAll(files))
})

function digestAll(files: readonly string[]): DigestReport {
  try {
    return { kind: 'digested', found: files.map(digestFileSync) }
  } catch (caught) {
    return { kind: 'failed', message: toReleaseError(caught).message }
  }
}
