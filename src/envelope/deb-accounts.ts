import { ReleaseError } from '../core/error.ts'
import { type DebPart, shellWord, whenConfigured } from './deb-part.ts'

/** A system user that a package brings, with a group of its name. */
export interface DebUser {
  readonly name: string
  /** What it is for, in one line. */
  readonly summary: string
  /** Without the leading slash. */
  readonly home: string
  readonly groups: readonly string[]
}

export interface AccountOptions {
  readonly package: string
  readonly user?: DebUser | undefined
  /** Further text in the form of sysusers.d(5). */
  readonly sysusers?: string | undefined
  /** Text in the form of tmpfiles.d(5). */
  readonly tmpfiles?: string | undefined
}

/**
 * Make users and folders on installation: declared in files that systemd also reads at boot.
 *
 * They stay when the package is removed or purged, for files of theirs may be anywhere.
 * Errors: DEB_FIELD. Source: sysusers.d(5), tmpfiles.d(5), dh_installsysusers(1), dh_installtmpfiles(1); Debian policy §9.2.2.
 */
export function accountsPart(options: AccountOptions): DebPart {
  const { user } = options
  const sysusers = `${user === undefined ? '' : userLines(user)}${options.sysusers ?? ''}`
  const tmpfiles = `${user === undefined ? '' : homeLine(user)}${options.tmpfiles ?? ''}`
  const parts = [
    declared(options.package, 'sysusers', sysusers),
    declared(options.package, 'tmpfiles', tmpfiles),
  ].filter(part => part !== undefined)
  if (parts.length === 0) return {}
  return {
    entries: parts.map(({ path, text }) => ({ type: 'file', path, mode: 0o644, bytes: Buffer.from(text) })),
    scripts: { postinst: whenConfigured(parts.map(({ command }) => command)) },
    depends: parts.map(({ depends }) => depends),
  }
}

function declared(name: string, kind: 'sysusers' | 'tmpfiles', text: string) {
  if (text === '') return undefined
  // Without its user nothing works; folders are made again at boot, and some containers do not let systemd-tmpfiles do its work.
  const [create, mayFail] = kind === 'tmpfiles' ? [' --create', ' || true'] : ['', '']
  return {
    path: `usr/lib/${kind}.d/${name}.conf`,
    text: text.endsWith('\n') ? text : `${text}\n`,
    command: `systemd-${kind} \${DPKG_ROOT:+--root="$DPKG_ROOT"}${create} ${shellWord(`${name}.conf`)}${mayFail}`,
    depends: `systemd | systemd-standalone-${kind} | systemd-${kind}`,
  }
}

function userLines({ name, summary, home, groups }: DebUser): string {
  for (const account of [name, ...groups]) assertForm('user or group', account, /^[a-z_][a-z0-9_-]{0,30}$/)
  assertForm('home', home, /^[\w.+:@/-]+$/)
  assertForm('summary of a user', summary, /^[^\u0000-\u001f\u007f]*$/)
  // Colons separate the fields of passwd(5); the others mean something to sysusers.d(5).
  const gecos = summary.replaceAll(':', ' ').replace(/["\\]/g, '\\$&').replaceAll('%', '%%')
  const members = groups.map(group => `m ${name} ${group}\n`)
  return `u ${name} - "${gecos}" /${home} /usr/sbin/nologin\n${members.join('')}`
}

function homeLine({ name, home }: DebUser): string {
  return `d /${home} 0750 ${name} ${name} -\n`
}

function assertForm(what: string, value: string, form: RegExp): void {
  if (form.test(value)) return
  throw new ReleaseError('DEB_FIELD', `a ${what} cannot be ${JSON.stringify(value.slice(0, 200))}`, {
    details: { value: value.slice(0, 200) },
  })
}
