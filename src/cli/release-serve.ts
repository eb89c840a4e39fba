import { Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly listen: string
}

/** `release serve [DIR]`: serve a repository over HTTP. */
export function releaseServeCommand(io: Io): Command {
  return new Command('serve')
    .description(
      'Serve a vendor repository over HTTP, read-only, as files and as a registry of images, until it is interrupted.',
    )
    .argument(
      '[dir]',
      'the folder of the repository (else what `release init` set up for this clone, else the only one of its recipe)',
    )
    .option('--listen <address>', 'HOST:PORT to listen on; port 0 lets the system choose', '127.0.0.1:8080')
    .action(async (dir: string | undefined, _options: unknown, command: Command) => {
      const { listen, ...global } = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'serve', global, async tools => {
        const { serveRepository } = await import('../flow/repository-serve.ts')
        await serveRepository({ cwd: io.cwd, environment: io.environment, repository: dir, listen }, tools)
      })
    })
}
