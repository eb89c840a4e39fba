import type { Executable } from './program.ts'

/** The executable of the release side: what a developer's machine or CI runs. */
export const releaseExecutable: Executable = {
  name: 'release',
  description: 'Cut releases of an application and publish them to a signed vendor repository.',
  commands: {
    init: {
      summary: 'make a vendor repository and its keys',
      load: async io => (await import('./release-init.ts')).releaseInitCommand(io),
    },
    cut: {
      summary: 'test, build, package, rehearse and tag a release',
      load: async io => (await import('./cut.ts')).cutCommand(io),
    },
    upload: {
      summary: 'publish a release to the vendor repository',
      load: async io => (await import('./upload.ts')).uploadCommand(io),
    },
    promote: {
      summary: 'offer a release in a channel, or roll the channel back to it',
      load: async io => (await import('./release-promote.ts')).releasePromoteCommand(io),
    },
    yank: {
      summary: 'withdraw a release from all channels',
      load: async io => (await import('./release-yank.ts')).releaseYankCommand(io),
    },
    unyank: {
      summary: 'offer a withdrawn release again',
      load: async io => (await import('./release-unyank.ts')).releaseUnyankCommand(io),
    },
    hold: {
      summary: 'keep a release from being pruned',
      load: async io => (await import('./release-hold.ts')).releaseHoldCommand(io),
    },
    prune: {
      summary: 'show which old releases can go, and remove them',
      load: async io => (await import('./release-prune.ts')).releasePruneCommand(io),
    },
    snapshot: {
      summary: 'keep the apt suites as they are now under a date',
      load: async io => (await import('./release-snapshot.ts')).releaseSnapshotCommand(io),
    },
    refresh: {
      summary: 'renew what expires, and warn of what is about to; for cron',
      load: async io => (await import('./release-refresh.ts')).releaseRefreshCommand(io),
    },
    reindex: {
      summary: 'compare every file with its signed record, and make every index anew',
      load: async io => (await import('./release-reindex.ts')).releaseReindexCommand(io),
    },
    keys: {
      summary: 'make, list, rotate and revoke the keys that sign, and sign offline',
      load: async io => (await import('./keys.ts')).keysCommand(io),
    },
    image: {
      summary: 'push the image of a release to a registry, look at images, fetch them',
      load: async io => (await import('./release-image.ts')).releaseImageCommand(io),
    },
    list: {
      summary: 'list the releases of a vendor repository',
      load: async io => (await import('./release-list.ts')).releaseListCommand(io),
    },
    verify: {
      summary: 'check a published release from its signatures to its bytes',
      load: async io => (await import('./release-verify.ts')).releaseVerifyCommand(io),
    },
    inspect: {
      summary: 'look into a tarball, package, image, manifest or delta pack',
      load: async io => (await import('./release-inspect.ts')).releaseInspectCommand(io),
    },
    bundle: {
      summary: 'make one file to install releases from without a network',
      load: async io => (await import('./release-bundle.ts')).releaseBundleCommand(io),
    },
    serve: {
      summary: 'serve a vendor repository over HTTP',
      load: async io => (await import('./release-serve.ts')).releaseServeCommand(io),
    },
  },
}
