import { Command } from 'commander'
import type { RoleSlots } from '../prefix/site.ts'
import type { Io } from './io.ts'
import { type PrefixOptions, waitLockMs } from './prefix-options.ts'
import { runCommand } from './run.ts'

interface Options extends PrefixOptions {
  readonly dryRun?: boolean
  readonly resume?: boolean
  readonly yes?: boolean
}

/** `cutover switch SITE`: swap the slots of two roles. */
export function switchCommand(io: Io): Command {
  const command = new Command('switch')
    .description(
      'Swap the slots of two roles: environment, folders and routes, each verified, or all as before. Clients of the first role wait meanwhile. The same command goes back.',
    )
    .argument('<site>', 'the folder of the site')
    .argument('[roles...]', 'the two roles, where the site has more')
    .option('--dry-run', 'look whether it could be done, and list the steps')
    .option('--resume', 'end a switch that was interrupted, forward or back')
    .option('--yes', 'without asking on the terminal')
    .option('--wait-lock <duration>', 'how long to wait for another command, such as 2m', '1s')
  return command.action(async (site: string, roles: readonly string[]) => {
    const options = command.optsWithGlobals<Options>()
    process.exitCode = await runCommand(io, 'switch', options, async tools => {
      const { resumeSwitch, switchSlots } = await import('../flow/switch.ts')
      const common = { site, waitLockMs: waitLockMs(options) }
      if (options.resume === true) return void (await resumeSwitch(common, tools))
      const confirm = isAsked(options, io) ? askOnTerminal : undefined
      await switchSlots({ ...common, roles, isDryRun: options.dryRun === true, confirm }, tools)
    })
  })
}

/** A script says what it means; a person may have mistyped. */
function isAsked({ yes, json, dryRun }: Options, io: Io): boolean {
  return yes !== true && json !== true && dryRun !== true && io.stderr.isTTY === true && process.stdin.isTTY === true
}

async function askOnTerminal(goal: RoleSlots): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const roles = Object.entries(goal).map(([role, slot]) => `${role} will be ${slot}`)
    return /^y(es)?$/i.test((await terminal.question(`${roles.join(', ')}. Go on? [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}
