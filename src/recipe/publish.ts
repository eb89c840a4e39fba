import type { Recipe } from './schema.ts'

/** Where a recipe wants releases published to, and who is told. */
export interface PublishSettings {
  /** Empty: what the clone is set up with. */
  readonly targets: readonly string[]
  readonly bytesPerSecond?: number
  readonly announce: {
    readonly webhook?: { readonly url: string; readonly secretFile?: string; readonly secretEnvironment?: string }
    readonly command?: readonly string[]
  }
}

/** Read what a recipe says of publishing. Paths are as they stand there: relative to the recipe. */
export function publishSettings({ publish }: Pick<Recipe, 'publish'>): PublishSettings {
  const { targets, bandwidth, announce } = publish
  const { webhook, command } = announce
  const { url, secretFile, secretEnvironment } = webhook ?? {}
  return {
    targets,
    ...(bandwidth === undefined ? {} : { bytesPerSecond: bandwidth }),
    announce: {
      ...(url === undefined
        ? {}
        : {
            webhook: {
              url,
              ...(secretFile === undefined ? {} : { secretFile }),
              ...(secretEnvironment === undefined ? {} : { secretEnvironment }),
            },
          }),
      ...(command === undefined ? {} : { command }),
    },
  }
}
