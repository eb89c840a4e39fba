import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** How a command ended that was measured. */
export interface Measured {
  readonly durationMs: number
  /** Of processors, which says more than the duration while others use the machine. */
  readonly cpuMs: number
  readonly maxRssBytes: number
}

/** Run a command and measure it, its children included. Throws with what it said when it fails. */
export function measure(argv: readonly string[], options: { readonly cwd: string; readonly out?: string }): Measured {
  const report = path.join(options.cwd, `time-${process.pid}`)
  const output = options.out === undefined ? 'pipe' : fs.openSync(options.out, 'w')
  const startMs = performance.now()
  const { status, stderr, stdout, error } = spawnSync('/usr/bin/time', ['-f', '%M %U %S', '-o', report, ...argv], {
    cwd: options.cwd,
    env: { ...process.env, GNUPGHOME: path.join(options.cwd, 'gpg') },
    encoding: 'utf8',
    stdio: ['ignore', output, 'pipe'],
    maxBuffer: 256 * 1024 * 1024,
  })
  const durationMs = performance.now() - startMs
  if (typeof output === 'number') fs.closeSync(output)
  if (status !== 0) throw new Error(`${argv.slice(0, 3).join(' ')}: ${error ?? `${stdout}${stderr}`.slice(-2000)}`)
  const [kibibytes = 0, user = 0, system = 0] = fs.readFileSync(report, 'utf8').trim().split(' ').map(Number)
  return { durationMs, cpuMs: (user + system) * 1000, maxRssBytes: kibibytes * 1024 }
}

/** Make the key that the peers sign with, ed25519 as ours. Post: `cwd` has `gpg/`. */
export function makeGpgKey(cwd: string): void {
  fs.mkdirSync(path.join(cwd, 'gpg'), { recursive: true, mode: 0o700 })
  const user = 'bench <bench@example.org>'
  measure(['gpg', '--batch', '--quiet', '--passphrase', '', '--quick-gen-key', user, 'ed25519', 'sign', 'never'], {
    cwd,
  })
}

/** A repository of another program. Each command signs as that program does, with gpg. */
export interface PeerRepository {
  /** The folder that is served. */
  readonly published: string
  /** Put packages into it and publish. The first one is what the time of the second is compared with when it has two parts. */
  readonly add: (debs: readonly string[]) => readonly (readonly [what: string, measured: Measured])[]
}

/** Make a repository of aptly from a pool, with what ours has: by-hash, and indexes as they are and with gzip. */
export function aptlyRepository(cwd: string, pool: string): PeerRepository {
  const root = path.join(cwd, 'aptly')
  fs.mkdirSync(root)
  const settings = { rootDir: root, gpgDisableSign: false, skipLegacyPool: true, architectures: ['all', 'amd64'] }
  fs.writeFileSync(`${root}.conf`, JSON.stringify(settings))
  const aptly = (...argv: string[]) => measure(['aptly', `-config=${root}.conf`, ...argv], { cwd })
  const same = ['-skip-contents', '-skip-bz2', '-batch', '-gpg-key=bench@example.org']
  aptly('repo', 'create', 'bench')
  aptly('repo', 'add', 'bench', pool)
  aptly('publish', 'repo', ...same, '-acquire-by-hash', '-distribution=stable', 'bench')
  return {
    published: path.join(root, 'public'),
    add: debs => {
      const added = aptly('repo', 'add', 'bench', ...debs)
      const signed = aptly('publish', 'update', ...same, 'stable')
      // Nothing is left to do but to write all of it again: what signing costs is the difference.
      const unsigned = aptly('publish', 'update', '-skip-signing', '-skip-contents', '-skip-bz2', 'stable')
      return [
        ['aptly repo add', added],
        ['aptly publish update', signed],
        ['aptly publish update -skip-signing', unsigned],
        // With Contents and bzip2, which ours has not.
        [
          'aptly publish update by default',
          aptly('publish', 'update', '-batch', '-gpg-key=bench@example.org', 'stable'),
        ],
      ]
    },
  }
}

/** Make a repository of reprepro from a pool. It has no by-hash. */
export function repreproRepository(cwd: string, pool: string): PeerRepository {
  const root = path.join(cwd, 'reprepro')
  fs.mkdirSync(path.join(root, 'conf'), { recursive: true })
  fs.writeFileSync(
    path.join(root, 'conf/distributions'),
    'Codename: stable\nArchitectures: amd64\nComponents: main\nDebIndices: Packages Release . .gz\nSignWith: bench@example.org\n',
  )
  const include = (debs: readonly string[]) =>
    measure(['reprepro', '--silent', '-b', root, 'includedeb', 'stable', ...debs], { cwd })
  const names = fs.readdirSync(pool, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.deb'))
  for (let at = 0; at < names.length; at += 10_000) {
    include(names.slice(at, at + 10_000).map(name => path.join(pool, name)))
  }
  return { published: root, add: debs => [['reprepro includedeb', include(debs)]] }
}
