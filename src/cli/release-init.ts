import { Command } from 'commander'
import { ReleaseError } from '../core/error.ts'
import type { RepositoryDescription } from '../trust/layout.ts'
import type { GlobalOptions, Io } from './io.ts'
import { keyEnvironment, type PassphraseFlags, withPassphrase } from './passphrase-options.ts'
import { runCommand } from './run.ts'

interface Options extends GlobalOptions, PassphraseFlags, SettingFlags {
  readonly encrypt?: boolean
  readonly payload?: string
  readonly name?: string
  readonly url?: string
  readonly application: readonly string[]
  readonly keys?: string
}

interface SettingFlags {
  readonly channels?: string
  readonly expiry: readonly string[]
  readonly aptValid?: string
  readonly aptComponents?: string
  readonly aptCompression?: string
  readonly aptContents?: boolean
}

type Settings = Pick<RepositoryDescription, 'channels' | 'lifetimesDays' | 'apt'>

/** `release init PLACE`: make a vendor repository and its keys, or change its settings. */
export function releaseInitCommand(io: Io): Command {
  return withPassphrase(new Command('init'))
    .description(
      'Make a vendor repository, with its signing keys in a folder of their own; add applications to one; or change its settings. In a git clone it is remembered for upload.',
    )
    .argument('<place>', 'a folder (an NFS export, or what a web server serves), or an address: http(s)://, s3://')
    .option('--name <name>', 'what the repository is called; the name of the folder when absent (fixed for ever)')
    .option(
      '--url <url>',
      'where clients will reach it, for the commands on its pages; else the place itself, which no client can read when it is s3://',
    )
    .option('--application <name>', 'an application to be published there; may be given several times', collect, [])
    .option('--keys <dir>', 'the folder of the signing keys (else $CUTOVER_KEYS, else ~/.config/cutover/keys/NAME)')
    .option('--encrypt', 'encrypt the keys that are made with a passphrase')
    .option(
      '--payload <file>',
      'publish nothing, write what is to be signed to a file: the keys of targets are elsewhere',
    )
    .option('--channels <names>', 'the channels, least stable first; edge,beta,stable unless set')
    .option(
      '--expiry <role=days>',
      'for how many days metadata is believed: root, targets, application, snapshot or timestamp; may be given several times',
      collect,
      [],
    )
    .option('--apt-valid <days>', 'for how many days apt believes an index; `none`: for ever')
    .option('--apt-components <how>', '`repository`: all packages in main; `application`: a component for each')
    .option('--apt-compression <forms>', 'the forms of an index beside the plain one: of gz,zst,xz')
    .option('--apt-contents', 'list which package installs which file')
    .option('--no-apt-contents', 'do not list it')
    .action(async (place: string, _options: unknown, command: Command) => {
      const { name, url, application, keys, encrypt, payload, ...flags } = command.optsWithGlobals<Options>()
      process.exitCode = await runCommand(io, 'init', flags, async tools => {
        const { initRepository } = await import('../flow/repository-init.ts')
        const environment = keyEnvironment(flags, io)
        const common = {
          cwd: io.cwd,
          environment,
          repository: place,
          name,
          url,
          applications: application,
          keys,
          encrypt,
          payload,
        }
        await initRepository({ ...common, settings: before => settingsFrom(flags, before) }, tools)
      })
    })
}

/** Set what the flags name, and leave the rest. Errors: USAGE. */
export function settingsFrom(flags: SettingFlags, before: Settings): Settings {
  const { channels = before.channels.join(',') } = flags
  const lifetimesDays = { ...before.lifetimesDays }
  for (const text of flags.expiry) {
    const [role, days] = text.split('=')
    if (role === undefined || days === undefined || !Object.hasOwn(lifetimesDays, role)) {
      throw usage('--expiry', text, `ROLE=DAYS with a role of ${Object.keys(lifetimesDays).join(', ')}`)
    }
    lifetimesDays[role as keyof typeof lifetimesDays] = wholeDays('--expiry', days)
  }
  return { channels: channels.split(','), lifetimesDays, apt: aptSettings(flags, before.apt) }
}

function aptSettings(flags: SettingFlags, { validDays, ...before }: Settings['apt']): Settings['apt'] {
  const valid = flags.aptValid === undefined ? validDays : validityOf(flags.aptValid)
  return {
    components: choice('--apt-components', flags.aptComponents ?? before.components, ['repository', 'application']),
    compressions: (flags.aptCompression ?? before.compressions.join(','))
      .split(',')
      .map(form => choice('--apt-compression', form, ['gz', 'zst', 'xz'])),
    contents: flags.aptContents ?? before.contents,
    ...(valid === undefined ? {} : { validDays: valid }),
  }
}

const validityOf = (text: string) => (text === 'none' ? undefined : wholeDays('--apt-valid', text))

function wholeDays(flag: string, text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  throw usage(flag, text, 'a number of days')
}

function choice<Word extends string>(flag: string, text: string, words: readonly Word[]): Word {
  const found = words.find(word => word === text)
  if (found !== undefined) return found
  throw usage(flag, text, `one of ${words.join(', ')}`)
}

function usage(flag: string, found: string, expected: string): ReleaseError {
  return new ReleaseError('USAGE', `${flag} is ${JSON.stringify(found)}, expected ${expected}`, {
    hint: 'run release init --help',
  })
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
