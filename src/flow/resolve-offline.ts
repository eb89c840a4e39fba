import { ReleaseError } from '../core/error.ts'
import { readKnownIndex } from '../trust/client.ts'
import { newestOffered } from '../trust/release-index.ts'
import type { Resolver } from './resolve.ts'

/** Resolve releases without asking anybody: by the list that was read last, as far as they are installed. Errors of the calls: OFFLINE. */
export function resolveOffline(trustFolder: string): Resolver {
  return {
    newest: async (application, avoided, channel) => {
      const index = readKnownIndex(trustFolder, application)
      const wanted = channel ?? index?.defaultChannel
      return index === undefined || wanted === undefined ? undefined : newestOffered(index, wanted, avoided)?.version
    },
    release: async (application, version) => {
      throw new ReleaseError('OFFLINE', `${application} ${version} is not on this machine`, {
        details: { application, version },
      })
    },
  }
}
