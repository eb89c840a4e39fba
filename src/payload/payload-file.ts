import type { FileEntry } from './manifest.ts'

/** A file of a payload. */
export type PayloadFile = FileEntry & { readonly type: 'file' }

/** Tell files from folders and links. */
export function isPayloadFile(entry: FileEntry): entry is PayloadFile {
  return entry.type === 'file'
}
