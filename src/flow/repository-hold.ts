import { held } from '../repository/channels.ts'
import { editRelease, type ReleaseOptions } from './repository-edit.ts'
import type { FlowTools } from './tools.ts'

/** Which release to keep, or to let be. */
export interface HoldOptions extends ReleaseOptions {
  readonly hold: boolean
}

/** Keep a release from being pruned, or let it be. Errors: RELEASE_UNKNOWN, those of publishing. */
export async function holdRelease(options: HoldOptions, tools: FlowTools): Promise<void> {
  const { version, hold } = options
  await editRelease(
    options,
    {
      command: 'hold',
      decide: before => {
        const index = held(before, version, hold)
        if (index === before) return { index, message: hold ? 'is held already' : 'is not held' }
        return { index, message: hold ? 'is held' : 'is not held any more' }
      },
    },
    tools,
  )
}
