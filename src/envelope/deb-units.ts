import { ReleaseError } from '../core/error.ts'
import { type DebPart, shellWord, whenCalled, whenConfigured } from './deb-part.ts'

/** A systemd unit that a package ships: `name` such as `notes.service`, `text` the unit file. */
export interface DebUnit {
  readonly name: string
  readonly text: string
  /** Enable it on the first installation. */
  readonly enable: boolean
  /** Start it when the package is installed. */
  readonly start: boolean
  /** What happens on an upgrade; `stop-start` only for a unit that is started. */
  readonly restart: 'restart' | 'stop-start' | 'none'
}

/**
 * Where units are: Debian 13 has no other place, and Debian 12 looks there, too; its lintian calls `/lib/systemd/system` odd.
 *
 * Source: file-hierarchy(7); deb-systemd-helper(1p) of init-system-helpers 1.65.
 */
const unitFolder = 'usr/lib/systemd/system'
const isRunning = '[ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ]'

/**
 * Ship systemd units and keep them as an administrator wants them.
 *
 * They are enabled on the first installation and as they were afterwards, started or restarted when the package is configured (not those that
 * are disabled), stopped before removal, and forgotten with a purge. A machine or chroot without a running systemd only gets the files.
 * Templates (`name@.service`) are shipped and left to whoever makes instances.
 * Errors: DEB_FIELD. Source: deb-systemd-helper(1p), deb-systemd-invoke(1p), dh_installsystemd(1); Debian policy §9.3.
 */
export function unitsPart(units: readonly DebUnit[]): DebPart {
  for (const { name } of units) assertUnitName(name)
  const entries = units.map(({ name, text }) => ({
    type: 'file' as const,
    path: `${unitFolder}/${name}`,
    mode: 0o644,
    bytes: Buffer.from(text),
  }))
  const own = units.filter(unit => !unit.name.includes('@.'))
  if (own.length === 0) return { entries }
  const installable = own.filter(unit => isInstallable(unit.text))
  const early = own.filter(unit => unit.restart === 'stop-start')
  const scripts = {
    // By the new version, which knows what has to stop; the old one's prerm knows what it was.
    ...(early.length === 0 ? {} : { preinst: stopText('upgrade', early) }),
    postinst: whenConfigured([...enableLines(installable), ...startLines(own)]),
    prerm: stopText('remove', own),
    postrm: forgetText(own),
  }
  return { entries, scripts }
}

/** A unit without any of these has nothing that could be enabled. Source: systemd.unit(5), "[Install] section options". */
function isInstallable(text: string): boolean {
  return /^[ \t]*(WantedBy|RequiredBy|UpheldBy|Alias|Also)[ \t]*=/m.test(text)
}

function enableLines(units: readonly DebUnit[]): string[] {
  const helper = (verb: string) => `deb-systemd-helper ${verb} "$unit" >/dev/null || true`
  const each = (some: readonly DebUnit[], lines: readonly string[]) =>
    some.length === 0 ? [] : [`for unit in ${names(some)}; do`, ...lines.map(line => `  ${line}`), 'done']
  // A removal by another package of that name, or by an old debhelper, may have left it masked.
  const enable = [helper('unmask'), 'if deb-systemd-helper --quiet was-enabled "$unit"; then', `  ${helper('enable')}`]
  // What was never installed counts as enabled for was-enabled: ask first.
  const enableAgain = [
    'if deb-systemd-helper debian-installed "$unit"; then',
    ...enable.map(line => `  ${line}`),
    '  fi',
    'fi',
  ]
  return [
    ...each(
      units.filter(unit => unit.enable),
      [...enable, 'else', `  ${helper('update-state')}`, 'fi'],
    ),
    ...each(
      units.filter(unit => !unit.enable),
      [...enableAgain, helper('update-state')],
    ),
  ]
}

function startLines(units: readonly DebUnit[]): string[] {
  const at = (restart: DebUnit['restart'], start: boolean) =>
    units.filter(unit => unit.restart === restart && unit.start === start)
  const lines = (before: string, verb: string, some: readonly DebUnit[]) =>
    some.length === 0 ? [] : [`  ${before}deb-systemd-invoke ${verb} ${names(some)} >/dev/null || true`]
  return [
    `if ${isRunning}; then`,
    '  systemctl --system daemon-reload >/dev/null || true',
    '  if [ -n "$2" ]; then action=restart; else action=start; fi',
    ...lines('', '"$action"', at('restart', true)),
    ...lines('[ -z "$2" ] || ', 'try-restart', at('restart', false)),
    // After a removal without a purge `$2` names a version, too: a start does nothing to what runs already.
    ...lines('', 'start', [...at('none', true), ...at('stop-start', true)]),
    'fi',
  ]
}

/** Stop units before their files are removed or replaced. */
function stopText(call: 'remove' | 'upgrade', units: readonly DebUnit[]): string {
  return whenCalled(
    [call],
    [`if ${isRunning}; then`, `  deb-systemd-invoke stop ${names(units)} >/dev/null || true`, 'fi'],
  )
}

function forgetText(units: readonly DebUnit[]): string {
  const reload = whenCalled(
    ['remove'],
    [`if ${isRunning}; then`, '  systemctl --system daemon-reload >/dev/null || true', 'fi'],
  )
  const purge = whenCalled(
    ['purge'],
    [
      'if command -v deb-systemd-helper >/dev/null; then',
      `  deb-systemd-helper purge ${names(units)} >/dev/null || true`,
      'fi',
    ],
  )
  return `${reload}${purge}`
}

function names(units: readonly DebUnit[]): string {
  return units.map(unit => shellWord(unit.name)).join(' ')
}

function assertUnitName(name: string): void {
  if (/^[A-Za-z0-9:_.][A-Za-z0-9:_.@-]*\.(service|socket|timer|target|path|mount|automount|slice)$/.test(name)) return
  throw new ReleaseError('DEB_FIELD', `${JSON.stringify(name)} is not the name of a systemd unit`, {
    details: { unit: name },
    hint: 'name the file after the unit, such as notes-prune.timer',
  })
}
