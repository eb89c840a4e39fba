/**
 * One line of the journal. Intent is written before an effect, done after it; see prefix/journal.ts.
 *
 * Units: `at` in milliseconds since 1970. `txn` numbers the installations and rollbacks of the prefix from 1.
 */
export type JournalRecord = {
  readonly schema: 1
  readonly seq: number
  readonly txn: number
  readonly at: number
} & (
  | {
      readonly kind: 'begin'
      readonly command: 'install' | 'rollback'
      readonly version: string
      readonly from: string | undefined
      readonly recordDigest: string
      readonly by: string
    }
  | { readonly kind: 'intent'; readonly op: string }
  | { readonly kind: 'done'; readonly op: string; readonly note?: string }
  | { readonly kind: 'undone'; readonly op: string }
  | { readonly kind: 'commit'; readonly version: string }
  | { readonly kind: 'abort'; readonly version: string; readonly reason: string; readonly code: string }
)
