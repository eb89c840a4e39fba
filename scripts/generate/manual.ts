import type { Command } from 'commander'
import type { Io } from '../../src/cli/io.ts'
import { buildProgram, type Executable } from '../../src/cli/program.ts'

const io: Io = {
  stdout: { write: () => {} },
  stderr: { write: () => {} },
  environment: {},
  cwd: '/',
}

/**
 * Word an executable's manual page in roff, from the same definitions that its `--help` comes from.
 *
 * Source: man(7), man-pages(7).
 */
export async function manualPage(executable: Executable): Promise<string> {
  const program = await buildProgram(executable, io, Object.keys(executable.commands))
  const summary = executable.description.replace(/\.$/, '')
  return `${[
    '.\\" Generated from the command definitions by `npm run generate`; do not edit.',
    `.TH ${executable.name.toUpperCase()} 1 "" "Cutover" "User Commands"`,
    '.SH NAME',
    `${executable.name} \\- ${literal(summary.charAt(0).toLowerCase() + summary.slice(1))}`,
    '.SH SYNOPSIS',
    `.B ${executable.name}`,
    '.I COMMAND',
    '[\\fIOPTIONS\\fR]',
    '.SH DESCRIPTION',
    literal(executable.description),
    '.SH COMMANDS',
    ...program.commands.flatMap(command => commandLines(command, executable.name)),
    '.SH OPTIONS OF EVERY COMMAND',
    ...optionLines(program),
    '.SH EXIT STATUS',
    ...exitLines,
  ].join('\n')}\n`
}

function commandLines(command: Command, parent: string): readonly string[] {
  const name = `${parent} ${command.name()}`
  const help = command.createHelp()
  const subcommands = help.visibleCommands(command).filter(subcommand => subcommand.name() !== 'help')
  if (subcommands.length > 0) return subcommands.flatMap(subcommand => commandLines(subcommand, name))
  const description = command.description() || command.summary()
  const parameters = command.registeredArguments.flatMap(argument =>
    argument.description === ''
      ? []
      : ['.TP', `.I ${literal(argument.name())}`, literal(help.argumentDescription(argument))],
  )
  return [
    `.SS ${literal(`${name} ${command.usage()}`)}`,
    literal(description),
    ...parameters,
    ...optionLines(command, globalOptions),
  ]
}

const globalOptions = ['--json', '--quiet', '--verbose']

function optionLines(command: Command, leftOut: readonly (string | undefined)[] = []): readonly string[] {
  const help = command.createHelp()
  return command.options
    .filter(option => !option.hidden && !leftOut.includes(option.long))
    .flatMap(option => ['.TP', `.B ${literal(option.flags)}`, literal(help.optionDescription(option))])
}

const exitLines = [
  ['0', 'Done, or nothing had to be done.'],
  ['1', 'Failed; the message says what and the hint what to do.'],
  ['2', 'The command line or a file that it names was not understood.'],
  ['3', 'Something could not be trusted: a signature, a digest, a path.'],
  ['4', 'The prefix needs recovery first.'],
  ['5', 'Another command is at work on the same thing.'],
].flatMap(([code, meaning]) => ['.TP', `.B ${code}`, meaning!])

/** Write text so that roff takes it literally. Source: groff_char(7), man-pages(7) on the hyphen. */
function literal(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .split('\n')
    .map(line => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n')
}
