import { ReleaseError } from '../core/error.ts'
import { formatBytes, parseBytes } from '../core/quantity.ts'

/** What the operator of a server decides for a prefix, whatever release it runs. Shape: `settings` of `prefix.json`; see `cutover settings`. */
export interface PrefixSettings {
  /** Places that have files of the repository, asked before the repository itself: see mirror/place.ts for their forms. */
  readonly mirrors?: readonly string[]
  /** `listed`: in their order. `fastest`: the one that answers first is asked first. */
  readonly mirrorOrder?: 'listed' | 'fastest'
  /** What all fetching together may take. */
  readonly bytesPerSecond?: number
  /** A place that sends less than this for half a minute is given up; 1 KiB when absent. */
  readonly leastBytesPerSecond?: number
  /** How many releases stay installed, the active one included. */
  readonly keepReleases?: number
  /** What git clones for `install --rev`. */
  readonly source?: string
  /** A file with the age identities that secrets of releases are decrypted with. */
  readonly ageKeyFile?: string
  /** Who runs the services, in place of what the recipe says. */
  readonly driver?: 'embedded' | 'systemd' | 'supervisor' | 'podman'
  /** Who is told of the end of each change. */
  readonly notify?: {
    readonly webhook?: string
    /** A file with the secret that signs what the webhook gets. */
    readonly webhookSecretFile?: string
    /** Program and arguments. */
    readonly command?: readonly string[]
  }
}

/** A value as JSON has it. */
type SettingValue = string | number | readonly string[]

/** A setting as people name it. */
export interface SettingForm {
  readonly name: string
  readonly meaning: string
  /** What a value looks like, for the message that refuses another. */
  readonly expected: string
  readonly isList: boolean
  /** Stored in bytes, and written with a unit. */
  readonly isSize?: boolean
  /** Read one value, or one member of a list; undefined when it is none. */
  readonly read: (text: string) => string | number | undefined
  readonly show: (value: string | number) => string
}

const text = (expected: string, form: (text: string) => boolean) => ({
  expected,
  isList: false,
  read: (value: string) => (form(value) ? value : undefined),
  show: String,
})
const list = (expected: string, form: (text: string) => boolean) => ({ ...text(expected, form), isList: true })
const word = (...words: readonly string[]) => text(`one of ${words.join(', ')}`, value => words.includes(value))
const size = (expected: string) => ({
  expected,
  isList: false,
  isSize: true,
  read: (value: string) => parseBytes(value),
  show: (value: string | number) => formatBytes(Number(value)),
})
const isAbsoluteFile = (value: string) => value.startsWith('/') && !value.includes('\0')
const isWebAddress = (value: string) => /^https?:\/\/[^/]/.test(value) && URL.canParse(value)
const isPlain = (value: string) => value !== '' && !/[\0\n]/.test(value)

/** All settings, in the order in which they are listed. */
export const settingForms: readonly SettingForm[] = [
  {
    name: 'mirrors',
    meaning: 'places that have files of the repository, asked before it',
    ...list('an address or a folder', isPlain),
  },
  {
    name: 'mirrorOrder',
    meaning: 'which of them is asked first',
    ...word('listed', 'fastest'),
  },
  {
    name: 'bytesPerSecond',
    meaning: 'what all fetching together may take',
    ...size('a size such as 10MiB'),
  },
  {
    name: 'leastBytesPerSecond',
    meaning: 'what a place must send, or it is given up',
    ...size('a size such as 512B'),
  },
  {
    name: 'keepReleases',
    meaning: 'how many releases stay installed',
    expected: 'a whole number from 2 to 100',
    isList: false,
    read: value => (/^\d{1,3}$/.test(value) && Number(value) >= 2 && Number(value) <= 100 ? Number(value) : undefined),
    show: String,
  },
  {
    name: 'source',
    meaning: 'what git clones for install --rev',
    ...text('an address or a folder that does not begin with -', value => isPlain(value) && !value.startsWith('-')),
  },
  {
    name: 'ageKeyFile',
    meaning: 'the age identities that secrets of releases are decrypted with',
    ...text('an absolute path', isAbsoluteFile),
  },
  {
    name: 'driver',
    meaning: 'who runs the services, in place of what the recipe says',
    ...word('embedded', 'systemd', 'supervisor', 'podman'),
  },
  {
    name: 'notify.webhook',
    meaning: 'an address that is told of the end of each change',
    ...text('an address with http: or https:', isWebAddress),
  },
  {
    name: 'notify.webhookSecretFile',
    meaning: 'a file with the secret that signs what it gets',
    ...text('an absolute path', isAbsoluteFile),
  },
  {
    name: 'notify.command',
    meaning: 'a program that is told of it, word by word',
    ...list('a word without line breaks', isPlain),
  },
]

/**
 * Change settings as people write it: `NAME=VALUE`, several times for a list, `NAME=` to take one away.
 *
 * Pure. Errors: USAGE with what was expected.
 */
export function changeSettings(
  before: PrefixSettings,
  changes: readonly (readonly [string, string])[],
): PrefixSettings {
  const values = new Map(settingEntries(before))
  for (const name of new Set(changes.map(([changed]) => changed))) {
    const form = settingForms.find(each => each.name === name)
    if (form === undefined) throw unknownSetting(name)
    const texts = changes.flatMap(([changed, value]) => (changed === name && value !== '' ? [value] : []))
    const read = texts.map(value => readValue(form, value))
    if (read.length === 0) values.delete(name)
    else values.set(name, form.isList ? (read as readonly string[]) : read.at(-1)!)
  }
  return nested([...values])
}

/** List the settings that are made, by name. Pure. */
export function settingEntries(settings: PrefixSettings): readonly (readonly [string, SettingValue])[] {
  return settingForms.flatMap(({ name }) => {
    const value = name
      .split('.')
      .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], settings)
    return value === undefined ? [] : [[name, value as SettingValue] as const]
  })
}

/** Write a setting for people. */
export function showSetting(form: SettingForm, value: SettingValue): string {
  return typeof value === 'object' ? value.join(' ') : form.show(value)
}

/** Find what is wrong with stored settings, or undefined. Pure. Whatever is not a setting of this version is left alone. */
export function settingsProblem(stored: unknown): string | undefined {
  if (typeof stored !== 'object' || stored === null || Array.isArray(stored)) return 'settings is not an object'
  for (const [name, value] of settingEntries(stored as PrefixSettings)) {
    const form = settingForms.find(each => each.name === name)!
    const members = form.isList ? value : [value]
    if (!Array.isArray(members) || !members.every(member => isStored(form, member))) {
      return `settings.${name} is not ${form.isList ? 'a list, each ' : ''}${form.expected}`
    }
  }
  return undefined
}

function isStored(form: SettingForm, member: unknown): boolean {
  if (form.isSize === true) return Number.isSafeInteger(member) && Number(member) > 0
  return (typeof member === 'string' || typeof member === 'number') && form.read(String(member)) === member
}

function readValue(form: SettingForm, value: string): string | number {
  const read = form.read(value)
  if (read !== undefined) return read
  throw new ReleaseError('USAGE', `${form.name}=${value} is not understood, expected ${form.expected}`, {
    hint: `write ${form.name}=VALUE, or ${form.name}= to take it away`,
    details: { setting: form.name },
  })
}

function unknownSetting(name: string): ReleaseError {
  return new ReleaseError('USAGE', `there is no setting ${JSON.stringify(name)}`, {
    hint: `choose one of ${settingForms.map(form => form.name).join(', ')}, or a variable of the environment in upper case`,
    details: { setting: name },
  })
}

/** Dotted names as members of members, in the order of the table. */
function nested(entries: readonly (readonly [string, SettingValue])[]): PrefixSettings {
  const settings: Record<string, unknown> = {}
  for (const { name } of settingForms) {
    const value = entries.find(([each]) => each === name)?.[1]
    if (value === undefined) continue
    const [outer, inner] = name.split('.') as [string, string?]
    if (inner === undefined) settings[outer] = value
    else settings[outer] = { ...(settings[outer] as object | undefined), [inner]: value }
  }
  return settings
}
