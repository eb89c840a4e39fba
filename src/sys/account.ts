import { spawnSync } from 'node:child_process'

/** A user of this machine to run something as. */
export interface Account {
  readonly uid: number
  readonly gid: number
  /** All groups that it belongs to, `gid` included. */
  readonly groups: readonly number[]
}

/**
 * Look a user up, wherever the machine keeps its users; undefined when there is none of that name.
 *
 * Source: id(1), getent(1), nsswitch.conf(5).
 */
export function lookUpUser(name: string): Account | undefined {
  const script = 'id -u -- "$1" && id -g -- "$1" && id -G -- "$1"'
  const [uid, gid, groups] = lines(['/bin/sh', '-c', script, 'sh', name])
  if (uid === undefined || gid === undefined || groups === undefined) return undefined
  return { uid: Number(uid), gid: Number(gid), groups: groups.split(' ').map(Number) }
}

/** Look up the number of a group; undefined when there is none of that name. Source: getent(1). */
export function lookUpGroup(name: string): number | undefined {
  const gid = lines(['getent', 'group', '--', name])[0]?.split(':')[2]
  return gid === undefined ? undefined : Number(gid)
}

function lines(argv: readonly [string, ...string[]]): readonly string[] {
  const { status, stdout } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', timeout: 30_000 })
  return status === 0 ? stdout.trimEnd().split('\n') : []
}

/** A command with the whole environment that it runs in. */
export interface Launch {
  readonly argv: readonly [string, ...string[]]
  readonly environment: Readonly<Record<string, string>>
}

/** Under which names variables pass through programs that still run as root. */
const hidden = 'cutover_'

/**
 * Turn a command into one that runs as a user, with its groups; the same command without an account. Pre: with an account, we are root.
 *
 * What drops the rights runs as root, and must not load what LD_PRELOAD or PATH of an application name: variables pass it under other
 * names, and a shell that has no rights any more gives them theirs. Node's own `uid` option would lose all groups but one.
 * Source: setpriv(1), ld.so(8).
 */
export function launchAs(account: Account | undefined, launch: Launch): Launch {
  if (account === undefined) return launch
  const { uid, gid, groups } = account
  const drop = ['/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join(',')}`, '--'] as const
  const names = Object.keys(launch.environment)
  const moves = names.map(name => `export ${name}="$${hidden}${name}"; unset ${hidden}${name}`)
  return {
    argv: [...drop, '/bin/sh', '-c', [...moves, 'exec "$@"'].join('\n'), 'sh', ...launch.argv],
    environment: Object.fromEntries(
      Object.entries(launch.environment).map(([name, value]) => [`${hidden}${name}`, value]),
    ),
  }
}
