import { Command, CommanderError, Help, type Option } from 'commander'
import { ReleaseError, toReleaseError } from '../core/error.ts'
import { toolVersion } from '../core/tool.ts'
import type { Io } from './io.ts'
import { createReport } from './report/report.ts'

/** One command of an executable. Its module is imported only when the command is chosen. */
export interface CommandEntry {
  readonly summary: string
  /** The exit code when the command line is not understood; 2 when absent. */
  readonly usageExitCode?: number
  readonly load: (io: Io) => Promise<Command>
}

/** An executable: its commands in the order in which people meet them. */
export interface Executable {
  readonly name: 'release' | 'cutover'
  readonly description: string
  readonly commands: Readonly<Record<string, CommandEntry>>
}

/**
 * Run an executable with the arguments that stand behind its name.
 *
 * Post: resolves with the exit code, never rejects; a command line that is not understood is told as the error USAGE, as JSON with `--json`.
 */
export async function runProgram(executable: Executable, argv: readonly string[], io: Io): Promise<number> {
  const chosen = chosenCommand(argv)
  const report = (error: ReleaseError): number => {
    const { emit, end } = createReport(io, { json: isJsonAsked(argv) })
    emit({ kind: 'run-failed', command: executable.name, durationMs: 0, error })
    end()
    const usageExitCode = chosen === undefined ? undefined : executable.commands[chosen]?.usageExitCode
    return error.code === 'USAGE' ? (usageExitCode ?? error.exitCode) : error.exitCode
  }
  // A defect outside of any await: whatever it left half done is in an unknown state, so the process ends.
  const endOnDefect = (caught: unknown) => process.exit(report(toReleaseError(caught)))
  process.once('uncaughtException', endOnDefect)
  try {
    const program = await buildProgram(executable, io, [chosen])
    // `help` for what is no command is answered as that command would be, with what was probably meant.
    const isLost = argv[0] === 'help' && chosen !== undefined && !(chosen in executable.commands)
    await program.parseAsync(isLost ? argv.slice(1) : argv, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (caught) {
    if (caught instanceof CommanderError && caught.exitCode === 0) return 0
    if (caught instanceof CommanderError && caught.code === 'commander.help' && !isJsonAsked(argv)) return 2
    return report(
      caught instanceof CommanderError ? usageError(caught, helpCommand(executable, chosen)) : toReleaseError(caught),
    )
  } finally {
    process.off('uncaughtException', endOnDefect)
  }
}

/**
 * Describe an executable to commander, with the named commands loaded and only a summary of the others.
 *
 * Post: every loaded command knows `--json`, `--quiet` and `--verbose`; errors are thrown as CommanderError, nothing is exited.
 */
export async function buildProgram(
  executable: Executable,
  io: Io,
  loaded: readonly (string | undefined)[],
): Promise<Command> {
  const program = new Command(executable.name)
    .description(executable.description)
    .version(toolVersion, '-V, --version', 'print the version of this tool')
    .usage('COMMAND [OPTIONS]')
    .helpOption('-h, --help', 'explain, also behind a command')
    .helpCommand('help [command]', 'explain a command')
    .configureHelp({ optionDescription })
    // `install --version 1.1.4` names a release: options of the program count only before the command.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: text => void io.stdout.write(text),
      writeErr: text => void io.stderr.write(text),
      outputError: () => {},
    })
  addGlobalOptions(program)
  for (const [name, entry] of Object.entries(executable.commands)) {
    const command = loaded.includes(name) ? adopt(program, await entry.load(io)) : new Command(name)
    program.addCommand(command.summary(entry.summary))
  }
  return program
}

function adopt(parent: Command, command: Command): Command {
  command.copyInheritedSettings(parent)
  for (const subcommand of command.commands) adopt(command, subcommand)
  addGlobalOptions(command)
  return command
}

function addGlobalOptions(command: Command): void {
  command
    .option('--json', 'write one JSON object per line to standard output')
    .option('--quiet', 'write nothing but warnings and errors')
    .option('--verbose', 'write the output of every command that is run')
}

/** As commander words it, but without the empty list that an option collects into. */
function optionDescription(option: Option): string {
  const isEmptyList = Array.isArray(option.defaultValue) && option.defaultValue.length === 0
  return isEmptyList ? option.description : new Help().optionDescription(option)
}

/** The command that the arguments choose, also behind `help`: it stands first but for the program's own options, all of them flags. */
function chosenCommand(argv: readonly string[]): string | undefined {
  const operands = argv.filter(argument => !argument.startsWith('-'))
  return operands[0] === 'help' ? operands[1] : operands[0]
}

function isJsonAsked(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json')
}

function helpCommand(executable: Executable, chosen: string | undefined): string {
  const known = chosen !== undefined && chosen in executable.commands
  return known ? `${executable.name} ${chosen} --help` : `${executable.name} --help`
}

function usageError(caught: CommanderError, help: string): ReleaseError {
  // Commander's message is `error: WHAT`, with a line `(Did you mean X?)` behind it where it knows one.
  const [what = '', suggestion] = caught.code === 'commander.help' ? ['no command is named'] : messageLines(caught)
  const hint = suggestion === undefined ? `run ${help}` : suggestion.replace(/^\((.*)\)$/, '$1')
  return new ReleaseError('USAGE', what, { hint, cause: caught })
}

function messageLines(caught: CommanderError): readonly string[] {
  return caught.message.replace(/^error: /, '').split('\n')
}
