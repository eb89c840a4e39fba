import { Command } from 'commander'
import type { ContractQuestion } from '../flow/migrate.ts'
import type { Io } from './io.ts'
import { type PrefixOptions, prefixFolder, waitLockMs, withLock } from './prefix-options.ts'
import { runCommand } from './run.ts'

interface Options extends PrefixOptions {
  readonly contract?: boolean
  readonly yes?: boolean
}

/** `cutover migrate`: list the migrations of the active version, and contract its data. */
export function migrateCommand(io: Io): Command {
  const command = withLock(new Command('migrate'))
    .description(
      'List the migrations of the active version. With --contract, run those that take away what only older versions need, while it serves; there is no rollback behind them.',
    )
    .option('--contract', 'run what is left to contract')
    .option('--yes', 'without asking on the terminal')
  return command.action(async () => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCommand(io, 'migrate', options, async tools => {
      const { migrate } = await import('../flow/migrate.ts')
      const confirmContract = options.contract === true ? confirmation(options, io) : undefined
      await migrate({ prefix: prefixFolder(options, io), waitLockMs: waitLockMs(options), confirmContract }, tools)
    })
  })
}

function confirmation({ yes, json }: Options, io: Io): (question: ContractQuestion) => Promise<boolean> {
  return async question => {
    if (yes === true) return true
    if (json === true || io.stderr.isTTY !== true || process.stdin.isTTY !== true) return false
    return (await askOnTerminal(question)) === question.version
  }
}

async function askOnTerminal({ application, version, migrations }: ContractQuestion): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const what = `${migrations.join(', ')} of ${application} ${version}: afterwards no older version can run on the data.`
    return (await terminal.question(`${what}\nType ${version} to go on: `)).trim()
  } finally {
    terminal.close()
  }
}
