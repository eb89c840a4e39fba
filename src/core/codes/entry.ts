/** One entry of the error catalogue. */
export interface ErrorEntry {
  /** 1 failed, 2 usage, 3 not trusted, 4 needs recovery, 5 busy. */
  readonly exitCode: 1 | 2 | 3 | 4 | 5
  /** The same command may succeed later without any change. */
  readonly retryable: boolean
  /** What happened, in one sentence; the catalogue in src/ERRORS.md is made of these. */
  readonly meaning: string
  /** What to do, where the place of the error has nothing better to say. */
  readonly hint: string
}

/** Codes of one area. */
export type ErrorEntries = Readonly<Record<string, ErrorEntry>>

/** Word an entry. */
export const entry = (
  exitCode: ErrorEntry['exitCode'],
  meaning: string,
  hint: string,
  retryable = false,
): ErrorEntry => ({ exitCode, retryable, meaning, hint })
