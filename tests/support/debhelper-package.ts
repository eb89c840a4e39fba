import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** What Debian's own tools are given to make the package that `makeBeacon` makes. */
export interface DebhelperSources {
  /** A checkout as `beaconCheckout` writes it; the folder `debian/` is put into it. */
  readonly checkout: string
  /** The package that was made of it by us, unpacked: texts that are ours to write are taken from it. */
  readonly ours: string
  readonly control: string
  readonly changelog: string
}

const rules = `#!/usr/bin/make -f
package = debian/beacon-server
units = $(package)/lib/systemd/system
%:
	dh $@ --with installsysusers
override_dh_auto_install:
	install -D -m 0755 beacon $(package)/usr/lib/beacon/bin/beacon
	install -D -m 0644 version $(package)/usr/lib/beacon/version
	install -D -m 0644 packaging/conf/beacon.conf $(package)/etc/beacon/beacon.conf
	install -D -m 0644 packaging/default $(package)/etc/default/beacon
	install -D -m 0644 -t $(units) packaging/*.service packaging/*.timer packaging/*.socket debian/beacon.service
override_dh_installsystemd:
	dh_installsystemd beacon.service beacon-tick.timer beacon-echo.socket
	dh_installsystemd --no-stop-on-upgrade --no-restart-after-upgrade beacon-steady.service
	dh_installsystemd --no-restart-after-upgrade beacon-early.service
	dh_installsystemd --no-enable --no-start beacon-spare.service
	dh_installsystemd --no-enable --no-start beacon-tick.service
	# Debhelper of Debian 12 finds units here only, although they belong where Debian 13 has them.
	mkdir -p $(package)/usr/lib
	mv $(package)/lib/systemd $(package)/usr/lib/systemd
	rmdir $(package)/lib
`

/** Make the package with dpkg-buildpackage and debhelper. Returns the file. */
export function buildWithDebhelper({ checkout, ours, control, changelog }: DebhelperSources): string {
  const read = (file: string) => fs.readFileSync(path.join(ours, file), 'utf8')
  const files: Readonly<Record<string, string>> = {
    control,
    changelog,
    rules,
    copyright: read('usr/share/doc/beacon-server/copyright'),
    'beacon.service': read('usr/lib/systemd/system/beacon.service'),
    'beacon-server.sysusers': read('usr/lib/sysusers.d/beacon-server.conf'),
    'beacon-server.tmpfiles': read('usr/lib/tmpfiles.d/beacon-server.conf'),
    'beacon-server.lintian-overrides': read('usr/share/lintian/overrides/beacon-server'),
    'beacon-server.manpages': 'packaging/beacon.1\n',
    'beacon-server.triggers': 'interest-noawait /usr/share/beacon/plugins\n',
    'beacon-server.alternatives': `Name: lamp
Link: /usr/bin/lamp
Alternative: /usr/lib/beacon/bin/beacon
Dependents:
 /usr/share/man/man1/lamp.1.gz lamp.1.gz /usr/share/man/man1/beacon.1.gz
Priority: 50
`,
    'beacon-server.postinst': `#!/bin/sh
set -e
echo "postinst $1 \${2:-} $(id -u beacon 2>/dev/null)" >>/var/log/beacon.log
#DEBHELPER#
`,
  }
  fs.mkdirSync(path.join(checkout, 'debian'))
  for (const [name, text] of Object.entries(files)) {
    fs.writeFileSync(path.join(checkout, 'debian', name), text, { mode: name === 'rules' ? 0o755 : 0o644 })
  }
  const env = { ...process.env, LC_ALL: 'C.UTF-8' }
  execFileSync('dpkg-buildpackage', ['--no-sign', '--no-check-builddeps', '--build=binary'], {
    cwd: checkout,
    env,
    stdio: 'pipe',
  })
  return path.join(path.dirname(checkout), 'beacon-server_1.0.0-1_all.deb')
}
