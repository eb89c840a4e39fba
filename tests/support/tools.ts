import fs from 'node:fs'
import path from 'node:path'

/** The Debian package that brings a tool, where it is not called like the tool. */
const packages: Readonly<Record<string, string>> = {
  'age-keygen': 'age',
  'apt-cache': 'apt',
  'apt-get': 'apt',
  'apt-ftparchive': 'apt-utils',
  'dpkg-deb': 'dpkg',
  bsdtar: 'libarchive-tools',
  dh: 'debhelper',
  diffoscope: 'diffoscope-minimal',
  'dpkg-buildpackage': 'dpkg-dev',
  'dpkg-gencontrol': 'dpkg-dev',
  htpasswd: 'apache2-utils',
  ldd: 'libc-bin',
  md5sum: 'coreutils',
  nsenter: 'util-linux',
  prlimit: 'util-linux',
  setpriv: 'util-linux',
  supervisorctl: 'supervisor',
  supervisord: 'supervisor',
  'systemd-nspawn': 'systemd-container',
  sha256sum: 'coreutils',
  taskset: 'util-linux',
  gpgv: 'gpgv',
  pip3: 'python3-pip',
  'pyproject-build': 'python3-build',
  python3: 'python3-venv',
  mkfs: 'util-linux',
  unshare: 'util-linux',
  xargs: 'findutils',
  xz: 'xz-utils',
}

/**
 * Tell whether every named tool is on PATH, for `it.skipIf(!needTool('skopeo'))`.
 *
 * Errors: with CI set a missing tool throws while tests are collected, naming its Debian package: there nothing is skipped.
 */
export function needTool(...names: string[]): boolean {
  const missing = names.filter(name => !isOnPath(name))
  if (missing.length > 0 && process.env['CI']) {
    const wanted = missing.map(name => `${name} (Debian package ${packages[name] ?? name})`)
    throw new Error(`not installed: ${wanted.join(', ')}; add it to scripts/lib/debian-packages`)
  }
  return missing.length === 0
}

function isOnPath(name: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(':')
  return folders.some(folder => folder !== '' && fs.existsSync(path.join(folder, name)))
}
