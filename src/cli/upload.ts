import path from 'node:path'
import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import { parseBytes, parseDuration } from '../core/quantity.ts'
import type { Io } from './io.ts'
import { type PublisherFlags, publisherOptions, withPublisher } from './publisher-options.ts'
import { runCommand } from './run.ts'

interface Options extends PublisherFlags {
  readonly to: readonly string[]
  readonly channel?: string
  readonly bandwidth?: string
  readonly wait?: string
  readonly dist?: string
  readonly remote: string
  readonly plan?: boolean
}

/** `release upload [VERSION]`: publish what `cut` made. */
export function uploadCommand(io: Io): Command {
  return withPublisher(new Command('upload'))
    .description(
      'Publish a release from dist to the vendor repository, and to other places, and push its tag. Killed and run again, it goes on where it was.',
    )
    .argument('[version]', 'the release to publish; the newest in dist when absent')
    .option(
      '--to <place>',
      'publish there: a repository (folder, http(s)://, s3://), a registry (oci://HOST/NAMESPACE) or github:OWNER/REPO; may be given several times, in the place of what the recipe names',
      (value: string, before: readonly string[]) => [...before, value],
      [],
    )
    .option('--channel <name>', 'offer it in this channel and the less stable ones; by its version when absent')
    .option('--bandwidth <rate>', 'the most that all transfers together may take, such as 500KiB or 10MiB a second')
    .option('--wait <duration>', 'how long to wait for another publisher, such as 30s', '2m')
    .option('--dist <dir>', 'where releases were cut to; dist in the clone when absent')
    .option('--remote <name>', 'the git remote that the tag is pushed to, if the clone has it', 'origin')
    .option('--plan', 'show what would be written, and write nothing')
    .action(async (version: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      const { dist, remote, plan, to, channel, bandwidth, wait } = options
      process.exitCode = await runCommand(io, 'upload', options, async tools => {
        const { upload } = await import('../flow/upload.ts')
        const distFolder = dist === undefined ? undefined : path.resolve(io.cwd, dist)
        const places = to.length === 0 ? {} : { to }
        const bytesPerSecond = bandwidth === undefined ? undefined : rateOf(bandwidth)
        const how = { remote, planOnly: plan === true, channel, bytesPerSecond, waitMs: durationOf(wait) }
        await upload({ ...publisherOptions(options, io), version, distFolder, ...how, ...places }, tools)
      })
    })
}

function rateOf(text: string): number {
  const bytesPerSecond = parseBytes(text.replace(/\/s$/, ''))
  if (bytesPerSecond !== undefined) return bytesPerSecond
  throw new ReleaseError('USAGE', `--bandwidth is ${JSON.stringify(text)}, expected such as 500KiB or 10MiB`, {
    hint: 'run release upload --help',
  })
}

function durationOf(text: string | undefined): number | undefined {
  const durationMs = text === undefined ? undefined : parseDuration(text)
  if (text === undefined || durationMs !== undefined) return durationMs
  throw new ReleaseError('USAGE', `--wait is ${JSON.stringify(text)}, expected such as 30s or 5m`, {
    hint: 'run release upload --help',
  })
}
