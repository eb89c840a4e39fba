import { ReleaseError } from '../core/error.ts'
import { unyanked, yanked } from '../repository/channels.ts'
import { editRelease, type ReleaseOptions } from './repository-edit.ts'
import type { FlowTools } from './tools.ts'

/** Which release to withdraw, and why. */
export interface YankOptions extends ReleaseOptions {
  readonly reason: string
}

const maxReasonChars = 500

/**
 * Withdraw a release: channels, and so apt and the tags of its image, offer the one before it; the Python index marks its files; whoever
 * names its version still gets it.
 *
 * Errors: USAGE (no reason), RELEASE_UNKNOWN, those of publishing.
 */
export async function yankRelease(options: YankOptions, tools: FlowTools): Promise<void> {
  const { version } = options
  const reason = parseReason(options.reason)
  await editRelease(
    options,
    {
      command: 'yank',
      decide: before => {
        const index = yanked(before, version, { reason, atMs: tools.clock.nowMs() })
        return { index, message: index === before ? `is yanked already: ${reason}` : `is yanked: ${reason}` }
      },
    },
    tools,
  )
}

/** Offer a withdrawn release again, in the channels that it was in. Errors: RELEASE_UNKNOWN, those of publishing. */
export async function unyankRelease(options: ReleaseOptions, tools: FlowTools): Promise<void> {
  await editRelease(
    options,
    {
      command: 'unyank',
      decide: before => {
        const index = unyanked(before, options.version)
        return { index, message: index === before ? 'is not yanked' : 'may be offered again' }
      },
    },
    tools,
  )
}

/** The reason is shown on pages, in indexes and on terminals: one line of text. */
function parseReason(text: string): string {
  const reason = text.trim()
  if (reason !== '' && reason.length <= maxReasonChars && !/\p{Cc}/u.test(reason)) return reason
  throw new ReleaseError('USAGE', `not a reason: ${JSON.stringify(text.slice(0, 80))}`, {
    hint: `say it in one line of at most ${maxReasonChars} characters: --reason 'loses data on restart'`,
  })
}
