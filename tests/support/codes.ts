import { ReleaseError } from '../../src/core/error.ts'

/** Run something that must fail and hand back its error code; what is no ReleaseError is thrown on. */
export function codeOf(run: () => unknown): string | undefined {
  try {
    run()
    return undefined
  } catch (caught) {
    if (caught instanceof ReleaseError) return caught.code
    throw caught
  }
}

/** The same for what fails later. */
export async function codeOfAsync(running: Promise<unknown>): Promise<string | undefined> {
  try {
    await running
    return undefined
  } catch (caught) {
    if (caught instanceof ReleaseError) return caught.code
    throw caught
  }
}
