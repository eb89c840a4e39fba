import { Argument, Command } from 'commander'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface ConfigOptions extends GlobalOptions {
  readonly prefix?: string
  readonly release?: string
}

/** `cutover gate config`: print what the HAProxy or nginx of the machine needs to stand in front of a prefix. */
export function gateConfigCommand(io: Io): Command {
  const command = new Command('config')
    .description('Print what the configuration of HAProxy or nginx needs to stand in front of the prefix.')
    .addArgument(new Argument('<server>', 'which of them').choices(['haproxy', 'nginx']))
    .argument('[prefix]', 'the prefix; the current folder when absent')
    .option('--prefix <folder>', 'the prefix, another way to name it')
    .option('--release <version>', 'the release whose recipe says it; the active one when absent')
  return command.action(async (server: 'haproxy' | 'nginx', folder: string | undefined) => {
    const options = command.optsWithGlobals<ConfigOptions>()
    process.exitCode = await runCommand(io, 'gate config', options, async tools => {
      const { gateConfig } = await import('../flow/gate-config.ts')
      const text = gateConfig({ prefix: folder ?? options.prefix ?? io.cwd, server, version: options.release })
      if (!options.json) return void io.stdout.write(text)
      tools.emit({
        kind: 'run-done',
        command: 'gate config',
        changed: false,
        durationMs: 0,
        message: `what ${server} needs`,
        result: { server, text },
      })
    })
  })
}
