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
    serve: {
      summary: 'serve a vendor repository over HTTP',
      load: async io => (await import('./release-serve.ts')).releaseServeCommand(io),
    },
  },
}
