import { Command, Option } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { InspectOptions } from '../flow/inspect.ts'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly manifest?: string
  readonly list?: boolean
  readonly against?: string
  readonly extract?: string
  readonly output?: string
}

/** `release inspect PLACE`: look into a tarball, package, image, manifest or delta pack. */
export function releaseInspectCommand(io: Io): Command {
  return new Command('inspect')
    .description(
      'Show what is in a tarball, .deb, image layout, payload manifest or delta pack; list its files, extract one, or compare an unpacked folder. Signatures are not asked for: that is what `release verify` does.',
    )
    .argument('<place>', 'a file, the folder of an image layout, or the http(s) address of a tarball or .deb')
    .option('--manifest <file>', 'the payload manifest; the one inside or beside it when absent')
    .option('--list', 'list files, folders and links with mode, size and the beginning of the digest')
    .addOption(
      new Option('--against <dir>', 'compare an unpacked folder with it, every byte; exit 1 when it differs').conflicts(
        'list',
      ),
    )
    .addOption(
      new Option(
        '--extract <path>',
        'write this file of it to --output, checked; nothing else is decoded or fetched',
      ).conflicts(['list', 'against']),
    )
    .option('--output <file>', 'where --extract writes to; - is standard output')
    .action(async (place: string, _options: unknown, command: Command) => {
      const { manifest, list, against, extract, output, ...global } = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'inspect', global, async tools => {
        const action = chosenAction({ list, against, extract, output, json: global.json })
        const { inspect } = await import('../flow/inspect.ts')
        await inspect({ cwd: io.cwd, place, manifest, action }, tools)
      })
    })
}

type Asked = { readonly [Name in 'list' | 'against' | 'extract' | 'output' | 'json']: Options[Name] | undefined }

function chosenAction({ list, against, extract, output, json }: Asked): InspectOptions['action'] {
  if ((extract === undefined) !== (output === undefined)) {
    throw usage('--extract and --output go together', 'add --output FILE, or --output - for standard output')
  }
  if (extract !== undefined && output !== undefined) {
    if (output !== '-') return { kind: 'extract', path: extract, output }
    if (json) throw usage('--output - and --json would both write to standard output', 'name a file with --output')
    return { kind: 'send', path: extract, write: writeToStdout }
  }
  if (against !== undefined) return { kind: 'compare', folder: against }
  return { kind: list ? 'list' : 'show' }
}

/** What could not be written is told at the end: see {@link processIo}. */
function writeToStdout(piece: Uint8Array): Promise<void> {
  return new Promise(resolve => process.stdout.write(piece, () => resolve()))
}

function usage(message: string, hint: string): ReleaseError {
  return new ReleaseError('USAGE', message, { hint })
}
