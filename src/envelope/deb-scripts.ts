import { ReleaseError } from '../core/error.ts'

/** A systemd unit that a package ships: `name` such as `notes.service`, `text` the unit file. */
export interface DebUnit {
  readonly name: string
  readonly text: string
  /** Enable and start it when the package is installed. */
  readonly enable: boolean
}

/** Shell text of a maintainer script each, without `#!`. */
export interface DebScripts {
  readonly preinst?: string
  readonly postinst?: string
  readonly prerm?: string
  readonly postrm?: string
}

/**
 * Render the maintainer scripts: the recipe's text, and what systemd units need.
 *
 * Units are enabled on the first installation, keep what an administrator chose afterwards, start or restart when the package
 * is configured, stop before removal, and leave nothing behind after a purge. A machine or chroot without a running systemd
 * only gets the files. The recipe's text runs before starting and after stopping, in a subshell: `exit 0` in it ends it alone.
 * Source: deb-systemd-helper(1p), deb-systemd-invoke(1p); Debian policy §6.5, §9.3.
 */
export function renderScripts(scripts: DebScripts, units: readonly DebUnit[]): ReadonlyMap<string, string> {
  const own = {
    preinst: [text(scripts.preinst)],
    postinst: [text(scripts.postinst), configureUnits(units)],
    prerm: [stopUnits(units), text(scripts.prerm)],
    postrm: [text(scripts.postrm), forgetUnits(units)],
  }
  const rendered = Object.entries(own).map(([name, parts]) => [name, parts.filter(part => part !== '')] as const)
  return new Map(
    rendered
      .filter(([, parts]) => parts.length > 0)
      .map(([name, parts]) => [name, `#!/bin/sh\nset -e\n\n${parts.join('\n')}`]),
  )
}

function text(script: string | undefined): string {
  if (script === undefined || script.trim() === '') return ''
  if (script.startsWith('#!')) {
    throw new ReleaseError('DEB_FIELD', 'a maintainer script begins with #!, expected shell text alone', {
      hint: 'remove the first line of the script in the recipe: /bin/sh runs it',
    })
  }
  return `(\n${script.trimEnd()}\n)\n`
}

function configureUnits(units: readonly DebUnit[]): string {
  if (units.length === 0) return ''
  return `case "$1" in configure|abort-upgrade|abort-remove|abort-deconfigure)
${units.map(enableUnit).join('\n')}
  if [ -d /run/systemd/system ]; then
    systemctl --system daemon-reload >/dev/null || true
    if [ -n "$2" ]; then action=restart; else action=start; fi
    deb-systemd-invoke "$action" ${names(units)} >/dev/null || true
  fi
  ;;
esac
`
}

function enableUnit(unit: DebUnit): string {
  const update = `deb-systemd-helper update-state ${quoted(unit.name)} >/dev/null || true`
  if (!unit.enable) return `  ${update}`
  return `  if deb-systemd-helper --quiet was-enabled ${quoted(unit.name)}; then
    deb-systemd-helper enable ${quoted(unit.name)} >/dev/null || true
  else
    ${update}
  fi`
}

function stopUnits(units: readonly DebUnit[]): string {
  if (units.length === 0) return ''
  return `if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop ${names(units)} >/dev/null || true
fi
`
}

function forgetUnits(units: readonly DebUnit[]): string {
  if (units.length === 0) return ''
  return `if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ] && command -v deb-systemd-helper >/dev/null; then
  deb-systemd-helper purge ${names(units)} >/dev/null || true
fi
`
}

function names(units: readonly DebUnit[]): string {
  return units.map(unit => quoted(unit.name)).join(' ')
}

/** Unit names are checked, so that quoting is all that the shell needs. Errors: DEB_FIELD. */
function quoted(name: string): string {
  if (!/^[A-Za-z0-9:_.@-]+\.(service|socket|timer|target|path)$/.test(name)) {
    throw new ReleaseError('DEB_FIELD', `${JSON.stringify(name)} is not the name of a systemd unit`, {
      details: { unit: name },
    })
  }
  return `'${name}'`
}
