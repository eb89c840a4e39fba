import type { Environment } from '../../registry/credentials.ts'
import type { Outlet } from './outlet.ts'
import { parseOutletPlace } from './place.ts'

export interface OpenOutletOptions {
  /** Where tokens, credentials and addresses are looked for. */
  readonly environment: Environment
  /** What relative paths of files with secrets are relative to. */
  readonly cwd: string
  /** Speak without TLS to a registry that is not on this machine. */
  readonly plainHttp?: boolean
}

/**
 * Open a place that `isOutlet` takes. Nothing is asked or read yet but the environment.
 *
 * Errors: OUTLET_INVALID, GITHUB_AUTH (no token). Loaded as needed: most uploads go to no outlet.
 */
export async function openOutlet(place: string, options: OpenOutletOptions): Promise<Outlet> {
  const parsed = parseOutletPlace(place)
  switch (parsed.kind) {
    case 'registry': {
      const { openRegistryOutlet } = await import('./registry.ts')
      return openRegistryOutlet(parsed, options)
    }
    case 'github': {
      const { openGithubOutlet } = await import('./github/outlet.ts')
      return openGithubOutlet(parsed, options)
    }
  }
}
