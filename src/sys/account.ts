import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import fs from 'node:fs'

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

/** Where systemd takes users from that exist for a while only; what it has given away is known to getent. Source: systemd's UIDS-GIDS. */
const passing = { first: 61_184, last: 65_519 } as const

/** Choose a user that nobody is: without a name, without a process. */
export function unusedAccount(): Account {
  for (;;) {
    const id = randomInt(passing.first, passing.last + 1)
    const isNamed = ['passwd', 'group'].some(table => lines(['getent', table, String(id)]).length > 0)
    if (isNamed || runningUsers().has(id)) continue
    return { uid: id, gid: id, groups: [id] }
  }
}

/** The users that something runs as. Source: proc(5): a process's folder belongs to its effective user. */
function runningUsers(): ReadonlySet<number> {
  const processes = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return new Set(processes.flatMap(name => fs.statSync(`/proc/${name}`, { throwIfNoEntry: false })?.uid ?? []))
}

/**
 * Do something with files that is done in one go as a user, so that it can do no more than that user: nothing it was led to by a link.
 *
 * Pre: we are root, in the main thread, and nothing else of ours is at work on files: rights are those of the whole process.
 */
export function actingAs<T>(account: Account | undefined, work: () => T): T {
  if (account === undefined) return work()
  const own = { groups: process.getgroups!(), gid: process.getegid!() }
  process.setgroups!([...account.groups])
  process.setegid!(account.gid)
  process.seteuid!(account.uid)
  try {
    return work()
  } finally {
    process.seteuid!(0)
    process.setegid!(own.gid)
    process.setgroups!(own.groups)
  }
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
