import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { beaconCheckout, makeBeacon } from '../support/beacon.ts'
import { buildWithDebhelper } from '../support/debhelper-package.ts'
import { repositoryRoot } from '../support/sources.ts'
import { tempFolder } from '../support/temp.ts'
import { needTool } from '../support/tools.ts'

/** Debian's control file for the same package, source stanza first. */
const control = `Source: beacon
Section: admin
Priority: optional
Maintainer: Ada Example <ada@example.org>
Build-Depends: debhelper-compat (= 13)
Standards-Version: 4.6.2
Rules-Requires-Root: no
Homepage: https://example.org/beacon
Bugs: https://example.org/bugs
Origin: Example

Package: beacon-server
Architecture: all
Multi-Arch: foreign
Pre-Depends: init-system-helpers (>= 1.54~)
Depends: \${misc:Depends}
Recommends: ca-certificates | ca-certificates-java
Suggests: beacon-doc
Enhances: lighthouse
Conflicts: beacon-old (<< 1:0.9)
Breaks: lighthouse (<< 2)
Replaces: beacon-old (<< 1:0.9)
Provides: beacon (= \${binary:Version})
Built-Using: lamp (= 1.0-1)
Static-Built-Using: bulb (= 2.0-3)
XB-X-Beacon-Colour: white
Description: Server that counts its own starts
 It writes down that it was started and then sleeps, so that tests see what an
 installation does to it: a paragraph that is too long for one line.
`
const version = { version: '1.0.0', configuration: 'a = 1\n' }

/** A node of diffoscope's report. */
interface Difference {
  readonly source1: string
  readonly comments?: readonly string[]
  readonly unified_diff: string | null
  readonly details?: readonly Difference[]
}

/** Why our package is not that of debhelper: where, and for the lines that match. The reasons are explained in src/envelope/DEB.md. */
const explained: readonly { readonly why: string; readonly place: RegExp; readonly line: RegExp }[] = [
  {
    why: 'Compression',
    place: /^filetype|^(control|data)\.tar\.xz/,
    line: /compress|XzFile|GzipFile|ZstFile|Zstandard/i,
  },
  { why: 'Compression', place: /^file list$/, line: / (control|data)\.tar\.(xz|gz|zst)$/ },
  { why: 'Manifest', place: /^file list$/, line: / _manifest\.zst$/ },
  { why: 'Installed-Size', place: /\/control$/, line: /^Installed-Size: \d+$/ },
  {
    why: 'Dependency on systemd-tmpfiles',
    place: /\/control$/,
    line: /^Depends: systemd \| systemd-standalone-sysusers/,
  },
  { why: 'Scripts', place: /\/(preinst|postinst|prerm|postrm)$/, line: /^/ },
  { why: 'Scripts', place: /control\.tar\/file list$/, line: / \.\/(control|preinst|postinst|prerm|postrm)$/ },
  { why: 'gzip', place: /\.gz$/, line: /^(?:[0-9a-f]{8}: |[0-9a-f]+$)/ },
  { why: 'gzip', place: /data\.tar\/file list$/, line: / \.\/usr\/share\/.*\.gz$/ },
  { why: 'gzip', place: /md5sums$/, line: /^(Files differ$|[0-9a-f]{32} {2}usr\/share\/.*\.gz$)/ },
]

it.skipIf(!needTool('diffoscope', 'zstd', 'xz', 'dpkg-buildpackage', 'dh', 'fakeroot'))(
  'a package is that of debhelper but for what is explained',
  async () => {
    const folder = tempFolder()
    const ours = await makeBeacon(folder, version)
    const [unpacked, peer] = [path.join(folder, 'unpacked'), path.join(folder, 'peer')]
    execFileSync('dpkg-deb', ['--extract', ours.file, unpacked])
    const theirs = buildWithDebhelper({
      checkout: beaconCheckout(path.join(folder, 'peer-sources/beacon'), version),
      ours: unpacked,
      control,
      changelog: unzipped(unpacked, 'usr/share/doc/beacon-server/changelog.Debian.gz'),
    })
    execFileSync('dpkg-deb', ['--extract', theirs, peer])
    const { stdout } = spawnSync('diffoscope', ['--json', '-', theirs, ours.file], { encoding: 'utf8' })
    const report = JSON.parse(stdout) as Difference
    const lines = report.details!.flatMap(difference => differingLines(difference, ''))
    const reasons = lines.map(({ place, line }) =>
      explained.find(reason => reason.place.test(place) && reason.line.test(line)),
    )
    expect(lines.filter((_, index) => reasons[index] === undefined)).toEqual([])
    // A reason that explains nothing is none.
    expect(explained.filter(reason => !reasons.includes(reason))).toEqual([])
    const documented = fs.readFileSync(path.join(repositoryRoot, 'src/envelope/DEB.md'), 'utf8')
    expect(explained.filter(({ why }) => !documented.includes(`| ${why} `))).toEqual([])
    for (const file of ['usr/share/doc/beacon-server/changelog.Debian.gz', 'usr/share/man/man1/beacon.1.gz'])
      expect(unzipped(peer, file)).toBe(unzipped(unpacked, file))
  },
)

/** The lines that are on one side only, wherever they stand, with the place they are at. */
function differingLines(difference: Difference, above: string): { place: string; line: string }[] {
  const place = path.posix.join(above, difference.source1.replace(/^\.\//, ''))
  const changed = (difference.unified_diff ?? '').split('\n').filter(line => /^[+-]/.test(line))
  const sides = ['+', '-'].map(sign => new Set(changed.filter(line => line[0] === sign).map(line => line.slice(1))))
  const own = changed
    .map(line => line.slice(1))
    .filter(line => line.trim() !== '' && !sides.every(side => side.has(line)))
  const inner = (difference.details ?? []).flatMap(detail => differingLines(detail, place))
  const said = own.length + inner.length === 0 && changed.length === 0 ? (difference.comments ?? []) : []
  return [...own, ...said].map(line => ({ place, line })).concat(inner)
}

function unzipped(folder: string, file: string): string {
  return gunzipSync(fs.readFileSync(path.join(folder, file))).toString()
}
