import type { Clone } from './publisher.ts'
import type { UploadOptions } from './upload.ts'

/** Where an upload goes and how, with the flags in front of the recipe. */
export interface PublishSettings {
  /** Empty: what the clone is set up with. */
  readonly targets: readonly string[]
  readonly bytesPerSecond?: number
}

/** Find out where an upload goes. */
export async function readPublishSettings(options: UploadOptions, _clone: Clone | undefined): Promise<PublishSettings> {
  return {
    targets: options.to ?? [],
    ...(options.bytesPerSecond === undefined ? {} : { bytesPerSecond: options.bytesPerSecond }),
  }
}
