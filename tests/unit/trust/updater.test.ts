import { Updater } from 'tuf-js'
import { TrustedMetadataStore } from 'tuf-js/dist/store.js'
import { describe, expect, it } from 'vitest'

describe('tuf-js', () => {
  it.each(['loadLocalMetadata', 'persistMetadata', 'refresh', 'getTargetInfo'])(
    'still has the member %s that updater.ts replaces or calls',
    name => {
      expect(Updater.prototype).toHaveProperty(name, expect.any(Function))
    },
  )

  it.each(['updateRoot', 'updateTimestamp', 'updateSnapshot', 'updateDelegatedTargets'])(
    'still verifies through %s',
    name => {
      expect(TrustedMetadataStore.prototype).toHaveProperty(name, expect.any(Function))
    },
  )
})
