import path from 'node:path'
import { Command, Option } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { GateKind } from '../recipe/schema.ts'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions {
  readonly repository?: string
  readonly application?: string
  readonly from?: string
  readonly environment?: string
  readonly rootFingerprint?: string
  readonly mode?: GateKind
  readonly set: readonly string[]
}

/** `cutover init PREFIX`: make a prefix for an application. */
export function initCommand(io: Io): Command {
  const command = new Command('init')
    .description('Make a prefix for an application: pin the root of its repository and write the commands in its bin/.')
    .argument('<prefix>', 'the folder of the prefix, such as /var/sync')
    .option('--repository <url>', 'the vendor repository: http:, https:, file: or a folder; needed without --from')
    .option('--application <name>', 'the application, as the repository calls it; needed without --from')
    .option('--from <file>', 'take the root from an offline bundle, and what is not named otherwise')
    .option('--environment <name>', 'the environment of the recipe whose variables are used (production)')
    .option('--root-fingerprint <hex>', 'the digest that the root of the repository must have; ask the vendor for it')
    .addOption(
      new Option('--mode <mode>', 'how the gate stands in front of it, instead of what the recipe says').choices([
        'proxy',
        'handover',
        'haproxy',
        'nginx',
      ]),
    )
    .option('--set <name=value>', 'a value instead of that of the environment; may be given several times', collect, [])
  return command.action(async (prefix: string) => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCommand(io, 'init', options, async tools => {
      const { repository, application, environment, rootFingerprint, mode } = options
      const from = options.from === undefined ? undefined : path.resolve(io.cwd, options.from)
      const variables = parseVariables(options.set)
      const { init } = await import('../flow/init.ts')
      const cutover = [process.execPath, process.argv[1]!]
      await init(
        { prefix, repository, application, from, environment, rootFingerprint, mode, variables, cutover },
        tools,
      )
    })
  })
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function parseVariables(settings: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    settings.map(setting => {
      const [, name, value] = /^([A-Z_][A-Z0-9_]*)=(.*)$/s.exec(setting) ?? []
      if (name !== undefined && value !== undefined) return [name, value]
      throw new ReleaseError('USAGE', `--set ${setting} is not NAME=VALUE`, {
        hint: 'write the name as the recipe does, in upper case',
      })
    }),
  )
}
