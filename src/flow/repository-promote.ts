import { promoted } from '../repository/channels.ts'
import { editRelease, type ReleaseOptions } from './repository-edit.ts'
import type { FlowTools } from './tools.ts'

/** Which release to offer, and where. */
export interface PromoteOptions extends ReleaseOptions {
  readonly channel: string
}

/**
 * Offer a release in a channel: apt's suite, the signed targets and the image's tag move together. Where the channel offers a newer
 * one it is rolled back.
 *
 * Errors: RELEASE_UNKNOWN, CHANNEL_UNKNOWN, RELEASE_YANKED, CHANNEL_SNAPSHOT, those of publishing.
 */
export async function promoteRelease(options: PromoteOptions, tools: FlowTools): Promise<void> {
  const { version, channel } = options
  await editRelease(
    options,
    {
      command: 'promote',
      decide: (before, channels) => {
        const { index, left } = promoted(before, version, { channel, channels })
        if (index === before) return { index, message: `is what ${channel} offers already` }
        if (left.length === 0) return { index, message: `is offered in ${channel}` }
        return { index, message: `is offered in ${channel}: ${left.join(', ')} left it` }
      },
    },
    tools,
  )
}
