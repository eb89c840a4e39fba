import fs from 'node:fs'
import path from 'node:path'
import { parseRecipe } from '../../src/recipe/load.ts'
import type { Recipe } from '../../src/recipe/schema.ts'
import { debOfRecipe, type MadeDeb } from './recipe-deb.ts'

/** What a version of the package changes. */
export interface BeaconVersion {
  readonly version: string
  /** The content of its configuration. */
  readonly configuration: string
  /** Lines of the recipe's `deb`, such as `removedConffiles: [etc/beacon/old.conf]`. */
  readonly deb?: readonly string[]
  readonly files?: Readonly<Record<string, string>>
}

const service = (command: string) =>
  `[Unit]\nDescription=Part of the beacon\nDocumentation=man:beacon(1)\n\n[Service]\nExecStart=${command}\n`
const wanted = (target: string) => `\n[Install]\nWantedBy=${target}\n`
const sleep = '/usr/bin/sleep infinity'

const commonFiles: Readonly<Record<string, string>> = {
  // Says who it is, and that it started.
  beacon: `#!/bin/sh\necho "$(id -un) $(cat "\${0%/*}/../version")" >>/var/lib/beacon/starts\nexec ${sleep}\n`,
  'packaging/beacon.1': `.TH BEACON 1 2026-01-01 beacon\n.SH NAME\nbeacon \\- count its own starts\n.SH DESCRIPTION\nIt does nothing else.\n`,
  'packaging/default': 'LIGHT=on\n',
  'packaging/extra.tmpfiles': 'd /var/cache/beacon 0750 beacon beacon -\n',
  'packaging/extra.sysusers': 'g beacon-readers -\n',
  'packaging/beacon-tick.service': service('/usr/bin/true'),
  'packaging/beacon-tick.timer': `[Unit]\nDescription=Tick\nDocumentation=man:beacon(1)\n\n[Timer]\nOnCalendar=daily\n${wanted('timers.target')}`,
  'packaging/beacon-echo.socket': `[Unit]\nDescription=Echo\nDocumentation=man:beacon(1)\n\n[Socket]\nListenStream=/run/beacon-echo\nAccept=yes\n${wanted('sockets.target')}`,
  'packaging/beacon-echo@.service': `${service('/usr/bin/cat')}StandardInput=socket\n`,
  'packaging/beacon-steady.service': `${service(sleep)}${wanted('multi-user.target')}`,
  'packaging/beacon-early.service': `${service(sleep)}${wanted('multi-user.target')}`,
  'packaging/beacon-spare.service': `${service(sleep)}${wanted('multi-user.target')}`,
}

const recipe = `schema: 1
name: beacon
summary: Server that counts its own starts
description: |
  It writes down that it was started and then sleeps, so that tests see what an installation does to it: a paragraph that is too long for one line.
licence: Apache-2.0
maintainer: Ada Example <ada@example.org>
homepage: https://example.org/beacon
payload:
  root: usr/lib/beacon
  entries:
    - { from: beacon, to: bin/beacon, mode: "0755" }
    - { from: version }
node:
  services: [{ name: main, command: [bin/beacon] }]
artifacts:
  deb:
    package: beacon-server
    epoch: 1
    section: admin
    multiArch: foreign
    preDepends: ["init-system-helpers (>= 1.54~)"]
    recommends: ["ca-certificates | ca-certificates-java"]
    suggests: [beacon-doc]
    enhances: [lighthouse]
    conflicts: ["beacon-old (<< 1:0.9)"]
    breaks: ["lighthouse (<< 2)"]
    replaces: ["beacon-old (<< 1:0.9)"]
    provides: ["beacon (= \${debianVersion})"]
    builtUsing: ["lamp (= 1.0-1)"]
    staticBuiltUsing: ["bulb (= 2.0-3)"]
    fields: { Bugs: "https://example.org/bugs", Origin: Example, X-Beacon-Colour: white }
    files:
      - { from: packaging/conf, to: etc/beacon }
      - { from: packaging/default, to: etc/default/beacon }
    manpages: [packaging/beacon.1]
    user: { name: beacon, groups: [adm] }
    tmpfiles: packaging/extra.tmpfiles
    sysusers: packaging/extra.sysusers
    unit: {}
    units:
      - { from: packaging/beacon-tick.service, enable: false, start: false }
      - { from: packaging/beacon-tick.timer }
      - { from: packaging/beacon-echo.socket }
      - { from: packaging/beacon-echo@.service }
      - { from: packaging/beacon-steady.service, restart: none }
      - { from: packaging/beacon-early.service, restart: stop-start }
      - { from: packaging/beacon-spare.service, enable: false, start: false }
    alternatives:
      - name: lamp
        link: usr/bin/lamp
        path: usr/lib/beacon/bin/beacon
        slaves: [{ name: lamp.1.gz, link: usr/share/man/man1/lamp.1.gz, path: usr/share/man/man1/beacon.1.gz }]
    triggers: [interest-noawait /usr/share/beacon/plugins]
    postinst: echo "postinst $1 \${2:-} $(id -u beacon 2>/dev/null)" >>/var/log/beacon.log
    lintianOverrides:
      - { tag: unknown-field, reason: "A field of the vendor’s own, and Static-Built-Using, which is younger than lintian 2.116." }
      - { tag: bugs-field-does-not-refer-to-debian-infrastructure, reason: The vendor has a tracker of its own. }
`

/** The recipe of a package with a bit of everything. */
export function beaconRecipe(deb: readonly string[] = []): Recipe {
  const lines = deb.map(line => `    ${line}\n`).join('')
  return parseRecipe(`${recipe}${lines}`, 'release.yaml').recipe
}

/** Write a checkout of the beacon as it is after the build. */
export function beaconCheckout(folder: string, { version, configuration, files }: BeaconVersion): string {
  const all = { ...commonFiles, version: `${version}\n`, 'packaging/conf/beacon.conf': configuration, ...files }
  for (const [name, text] of Object.entries(all)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true })
    fs.writeFileSync(path.join(folder, name), text)
  }
  return folder
}

/** Make a version of the beacon's package in a folder of its own. */
export function makeBeacon(folder: string, made: BeaconVersion): Promise<MadeDeb> {
  const checkout = beaconCheckout(path.join(folder, `checkout-${made.version}`), made)
  return debOfRecipe({ recipe: beaconRecipe(made.deb), checkout, version: made.version, folder })
}
