import { Command, Option } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { SuccessionChannel } from '../flow/succession.ts'
import type { GateKind } from '../recipe/schema.ts'
import type { HandedSocket } from '../sys/process.ts'
import type { GlobalOptions, Io } from './io.ts'
import { runCommand } from './run.ts'

interface ServeCommandOptions extends GlobalOptions {
  readonly prefix?: string
  readonly mode?: GateKind
  readonly listen?: string
  readonly untilInputEnds?: boolean
  readonly writeUnits?: string
  readonly withSocket?: boolean
  readonly succeed?: boolean
}

/** `cutover serve`: own the public address of a prefix, run its services and be its gate, until SIGTERM. */
export function serveCommand(io: Io): Command {
  const command = new Command('serve')
    .description(
      'Own the public address of a prefix, run the services of its active release, and be its gate. Signals set its mode as `cutover gate` does: SIGTSTP hold, SIGCONT pass (what was asked for by a person), SIGTTIN backoff, SIGWINCH drain. SIGHUP reads certificates again and begins a new access log; SIGTERM ends it.',
    )
    .argument('[prefix]', 'the prefix; the current folder when absent')
    .option('--prefix <folder>', 'the prefix, another way to name it')
    .addOption(
      new Option('--mode <mode>', 'how to stand in front of the application, instead of what its recipe says').choices([
        'proxy',
        'handover',
        'haproxy',
        'nginx',
      ]),
    )
    .option('--write-units <folder>', 'serve nothing, but write systemd units that do, such as to /etc/systemd/system')
    .option('--with-socket', 'with --write-units: let systemd open the public socket, which then outlives us')
    .option('--until-input-ends', 'end as well when standard input does: with whoever holds its other end')
    .addOption(new Option(succeedOption, 'take the place of the serving process that started us').hideHelp())
    .option('--listen <address>', 'HOST:PORT or unix:PATH, instead of what its recipe says; port 0 takes a free one')
  return command.action(async (folder: string | undefined) => {
    const options = command.optsWithGlobals<ServeCommandOptions>()
    process.exitCode = await runCommand(io, 'serve', options, async tools => {
      const prefix = folder ?? options.prefix ?? io.cwd
      if (options.writeUnits !== undefined) {
        const { serveUnits } = await import('../flow/serve-units.ts')
        const { listen, writeUnits, withSocket = false } = options
        serveUnits({ prefix, folder: writeUnits, withSocket, listen }, tools)
        return
      }
      const signal = options.untilInputEnds === true ? AbortSignal.any([tools.signal, inputEnd()]) : tools.signal
      const { serve } = await import('../flow/serve.ts')
      await serve(
        {
          prefix,
          mode: options.mode,
          listen: options.listen,
          inherited: inheritedSockets(io.environment),
          environment: io.environment,
          workerArgv: [process.execPath, ...process.execArgv, process.argv[1]!, 'gate', 'hold-worker'],
          successorArgv,
          predecessor: options.succeed === true ? predecessorChannel() : undefined,
          obeysSignals: true,
        },
        { ...tools, signal },
      )
    })
  })
}

const succeedOption = '--succeed'

/** Run what we were asked to run, by another executable or by our own as it is on the disk now. */
function successorArgv(cutover: string | undefined): [string, ...string[]] {
  const ours = [process.execPath, ...process.execArgv]
  const asked = process.argv.slice(2).filter(word => word !== succeedOption)
  const isScript = cutover !== undefined && /\.[cm]?[jt]s$/.test(cutover)
  const [file, ...args] =
    cutover === undefined ? [...ours, process.argv[1]!] : isScript ? [...ours, cutover] : [cutover]
  return [file!, ...args, ...asked, succeedOption]
}

/** The channel to the serving process that started us. Errors: USAGE when nobody did. */
function predecessorChannel(): SuccessionChannel {
  const send = process.send?.bind(process)
  if (send === undefined)
    throw new ReleaseError('USAGE', `${succeedOption} is for a process that a serving process started`, {
      hint: 'ask it with cutover gate upgrade',
    })
  return {
    send: message => {
      if (process.connected) send(message, undefined, undefined, () => {})
    },
    onMessage: take => void process.on('message', take),
    onClosed: call => void process.once('disconnect', call),
    close: () => {
      if (process.connected) process.disconnect?.()
    },
  }
}

/** A signal for the end of standard input, which does not keep the process from ending by itself. */
function inputEnd(): AbortSignal {
  const controller = new AbortController()
  process.stdin.once('close', () => controller.abort())
  process.stdin.resume()
  // A file has nothing to wait for.
  process.stdin.unref?.()
  return controller.signal
}

/** Find the listening sockets that systemd hands over. Source: sd_listen_fds_with_names(3): what has no name is `unknown`. */
function inheritedSockets(environment: Io['environment']): readonly HandedSocket[] {
  if (environment['LISTEN_PID'] !== String(process.pid)) return []
  const count = Number(environment['LISTEN_FDS'])
  if (!Number.isInteger(count) || count < 1)
    throw new ReleaseError('USAGE', `LISTEN_FDS is ${environment['LISTEN_FDS']}, expected how many sockets there are`)
  const names = (environment['LISTEN_FDNAMES'] ?? '').split(':')
  return Array.from({ length: count }, (_, index) => ({ descriptor: 3 + index, name: names[index] || 'unknown' }))
}
