import path from 'node:path'
import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { SiteRouter } from '../slots/document.ts'
import type { Io } from './io.ts'
import { type PrefixOptions, waitLockMs } from './prefix-options.ts'
import { runCommand } from './run.ts'

interface InitOptions extends PrefixOptions {
  readonly slot: readonly string[]
  readonly role: readonly string[]
  readonly name?: string
  readonly haproxy?: string
  readonly map?: string
  readonly nginx?: string
  readonly front?: string
}

/** `cutover slots`: prefixes that take turns in the roles of a site. */
export function slotsCommand(io: Io): Command {
  return new Command('slots')
    .description(
      'Make a site of two prefixes or more that take turns in its roles, and look at it; `cutover switch` swaps them.',
    )
    .addCommand(initCommand(io))
    .addCommand(statusCommand(io))
    .addCommand(recoverCommand(io))
    .addCommand(configCommand(io))
}

function initCommand(io: Io): Command {
  const command = withLock(new Command('init'))
    .description(
      'Make a site. The first role is the one whose clients wait during a switch, instead of being turned away.',
    )
    .argument('<site>', 'the folder of the site, such as /srv/www')
    .option('--slot <name=prefix>', 'a slot and its prefix; several times', collect, [])
    .option('--role <name=slot>', 'a role of the recipe and the slot that begins with it; several times', collect, [])
    .option('--name <name>', 'what the server in front calls it; that of the folder when absent')
    .option('--haproxy <socket>', 'the runtime socket of the HAProxy in front')
    .option('--map <file>', 'with --haproxy: the map that leads clients; routes.map in the site when absent')
    .option('--nginx <pid-file>', 'or the nginx in front, such as /run/nginx.pid')
    .option(
      '--front <address>',
      'where that server accepts plain HTTP, to be asked as clients do: HOST:PORT or unix:PATH',
    )
  return command.action(async (site: string) => {
    const options = command.optsWithGlobals<InitOptions>()
    process.exitCode = await runCommand(io, 'slots', options, async tools => {
      const { initSlots } = await import('../flow/slots-init.ts')
      const { name, front } = options
      const [slots, roles] = [parsePairs('--slot', options.slot), parsePairs('--role', options.role)]
      await initSlots(
        { site, name, slots, roles, router: routerOf(options, site), front, waitLockMs: waitLockMs(options) },
        tools,
      )
    })
  })
}

function statusCommand(io: Io): Command {
  const command = new Command('status')
    .description('Tell which slot has which role, how it runs, and whose clients are led there.')
    .argument('<site>', 'the folder of the site')
  return command.action(async (site: string) => {
    process.exitCode = await runCommand(io, 'slots', command.optsWithGlobals<PrefixOptions>(), async tools => {
      const { slotsStatus } = await import('../flow/slots-status.ts')
      await slotsStatus({ site }, tools)
    })
  })
}

function recoverCommand(io: Io): Command {
  const command = withLock(new Command('recover'))
    .description('End a switch that was interrupted; else start slots in their roles and lead clients there.')
    .argument('<site>', 'the folder of the site')
  return command.action(async (site: string) => {
    const options = command.optsWithGlobals<PrefixOptions>()
    process.exitCode = await runCommand(io, 'slots', options, async tools => {
      const { resumeSwitch } = await import('../flow/switch.ts')
      await resumeSwitch({ site, waitLockMs: waitLockMs(options) }, tools)
    })
  })
}

function configCommand(io: Io): Command {
  const command = new Command('config')
    .description('Print what the HAProxy or nginx in front needs in its configuration.')
    .argument('<site>', 'the folder of the site')
  return command.action(async (site: string) => {
    process.exitCode = await runCommand(io, 'slots', command.optsWithGlobals<PrefixOptions>(), async () => {
      const { slotsConfig } = await import('../flow/slots-config.ts')
      io.stdout.write(await slotsConfig({ site }))
    })
  })
}

function withLock(command: Command): Command {
  return command.option('--wait-lock <duration>', 'how long to wait for another command, such as 2m', '1s')
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function parsePairs(option: string, pairs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    pairs.map(pair => {
      const equals = pair.indexOf('=')
      if (equals > 0) return [pair.slice(0, equals), pair.slice(equals + 1)]
      throw new ReleaseError('USAGE', `${option} ${pair} is not NAME=VALUE`, {
        hint: `write it as ${option} blue=VALUE`,
      })
    }),
  )
}

function routerOf({ haproxy, map, nginx }: InitOptions, site: string): SiteRouter | undefined {
  if (haproxy !== undefined && nginx !== undefined)
    throw new ReleaseError('USAGE', '--haproxy and --nginx exclude each other', {
      hint: 'name the server that stands in front',
    })
  if (haproxy !== undefined)
    return { kind: 'haproxy', socket: path.resolve(haproxy), map: path.resolve(map ?? `${site}/routes.map`) }
  return nginx === undefined ? undefined : { kind: 'nginx', pidFile: path.resolve(nginx), check: ['nginx', '-T', '-q'] }
}
