import { type ErrorCode, errorCodes } from './codes.ts'

/** Values that make an error usable by programs: paths, versions, digests, sizes. Never a secret. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface ErrorOptions {
  /** The command to run next, or the change to make; replaces the catalogue's general hint. */
  readonly hint?: string
  readonly details?: ErrorDetails
  readonly cause?: unknown
}

/**
 * Report a failure that a user can meet: a code for programs, a message that says what failed on which path, version or
 * digest with expected and found, and a hint with the command to run next.
 *
 * Shape: `message` is one line or a short list, without control characters. Exit code and retryability come from the
 * catalogue (`core/codes.ts`), so that one code always ends a process in the same way.
 */
export class ReleaseError extends Error {
  override readonly name = 'ReleaseError'
  readonly code: ErrorCode
  readonly hint: string
  readonly details: ErrorDetails
  readonly exitCode: number
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(printable(message), options.cause === undefined ? undefined : { cause: options.cause })
    const entry = errorCodes[code]
    this.code = code
    this.hint = printable(options.hint ?? entry.hint)
    this.details = options.details ?? {}
    this.exitCode = entry.exitCode
    this.retryable = entry.retryable
  }

  /** Render for `--json`. Only a defect of our own shows a stack: whoever mends it needs one, nobody else does. */
  toJSON(): Record<string, unknown> {
    const cause = this.cause instanceof Error ? printable(this.cause.message) : undefined
    const stack = this.code === 'INTERNAL' && this.cause instanceof Error ? this.cause.stack : undefined
    return {
      code: this.code,
      message: this.message,
      hint: this.hint,
      details: this.details,
      retryable: this.retryable,
      cause,
      stack,
    }
  }
}

/**
 * Turn whatever was caught into a ReleaseError, keeping one that already is.
 *
 * Errors: INTERNAL for anything without an errno; FILE_IO with the errno and path otherwise.
 */
export function toReleaseError(caught: unknown): ReleaseError {
  if (caught instanceof ReleaseError) return caught
  if (isErrno(caught)) {
    const code = caught.code === 'ENOSPC' || caught.code === 'EDQUOT' ? 'FILE_NO_SPACE' : 'FILE_IO'
    return new ReleaseError(
      code,
      `${caught.syscall ?? 'system call'} failed with ${caught.code}: ${caught.path ?? caught.message}`,
      {
        cause: caught,
        details: { errno: caught.code, path: caught.path },
      },
    )
  }
  const message = caught instanceof Error ? caught.message : String(caught)
  return new ReleaseError('INTERNAL', `unexpected: ${message}`, { cause: caught })
}

/** Tell whether a caught value is a system error, optionally one of the given errno names. */
export function isErrno(
  caught: unknown,
  ...names: readonly string[]
): caught is NodeJS.ErrnoException & { code: string } {
  if (!(caught instanceof Error) || !('code' in caught) || typeof caught.code !== 'string') return false
  if (names.length > 0) return names.includes(caught.code)
  return 'errno' in caught && !('hint' in caught)
}

/** Mark a case that the types exclude; reaching it is a defect of ours, hence a plain Error. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}

/** Replace control characters (ANSI escapes from hostile input among them), keeping line breaks and tabs. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '\ufffd')
}
