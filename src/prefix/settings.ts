/** What the operator of a server decides for a prefix, whatever release it runs. Shape: `settings` of `prefix.json`; see `cutover settings`. */
export interface PrefixSettings {
  /** Places that have files of the repository, asked before the repository itself: see mirror/place.ts for their forms. */
  readonly mirrors?: readonly string[]
  /** `listed`: in their order. `fastest`: the one that answers first is asked first. */
  readonly mirrorOrder?: 'listed' | 'fastest'
  /** What all fetching together may take. */
  readonly bytesPerSecond?: number
  /** How many releases stay installed, the active one included. */
  readonly keepReleases?: number
  /** What git clones for `install --rev`. */
  readonly source?: string
  /** A file with the age identities that secrets of releases are decrypted with. */
  readonly ageKeyFile?: string
  /** Who runs the services, in place of what the recipe says. */
  readonly driver?: 'embedded' | 'systemd' | 'supervisor' | 'podman'
  /** Who is told of the end of each change. */
  readonly notify?: {
    readonly webhook?: string
    /** A file with the secret that signs what the webhook gets. */
    readonly webhookSecretFile?: string
    readonly command?: readonly string[]
  }
}
