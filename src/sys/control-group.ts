import fs from 'node:fs'
import path from 'node:path'
import { isErrno } from '../core/error.ts'

/** What a control group is limited to; nothing where nothing is said. */
export interface GroupLimits {
  readonly memoryBytes: number | undefined
  readonly processes: number | undefined
  /** In processors. */
  readonly cpu: number | undefined
}

/** Groups that a process joins by writing its number to each of the files. */
export interface ControlGroups {
  readonly joinFiles: readonly string[]
  /** What could not be limited here, as the recipe calls it. */
  readonly unheld: readonly (keyof GroupLimits)[]
}

/** Where control groups are, and which of them we are in, as /proc/self/cgroup says. */
export interface GroupPlace {
  readonly root: string
  readonly membership: string
}

function thisMachine(): GroupPlace {
  return { root: '/sys/fs/cgroup', membership: fs.readFileSync('/proc/self/cgroup', 'latin1') }
}

type Controller = 'memory' | 'pids' | 'cpu'

const controllers = { memoryBytes: 'memory', processes: 'pids', cpu: 'cpu' } as const satisfies Record<
  keyof GroupLimits,
  Controller
>

/** A period of the processor's time, in microseconds; the kernel's own. */
const cpuPeriodMicroseconds = 100_000

/**
 * Make control groups with limits, below the one that we are in.
 *
 * Where a controller has a hierarchy of its own (version 1), a group is made in it. In the common one (version 2) groups can be made
 * only where we are alone in a group, as the unit of a service of its own is: with `Delegate=yes`. What can be had nowhere is named
 * in `unheld`. Source: cgroups(7), the kernel's admin-guide/cgroup-v1 and cgroup-v2, systemd.resource-control(5).
 */
export function makeControlGroups(name: string, limits: GroupLimits, place = thisMachine()): ControlGroups {
  const wanted = (Object.keys(controllers) as (keyof GroupLimits)[]).filter(key => limits[key] !== undefined)
  const joinFiles = new Set<string>()
  const unheld: (keyof GroupLimits)[] = []
  for (const key of wanted) {
    const parent = controllerFolder(controllers[key], place)
    const file =
      parent === undefined ? undefined : makeGroup(path.join(parent.folder, name), parent.version, key, limits)
    if (file === undefined) unheld.push(key)
    else joinFiles.add(file)
  }
  return { joinFiles: [...joinFiles], unheld }
}

/** Remove the groups that {@link makeControlGroups} made. A group that still has a process stays. */
export function removeControlGroups(name: string, place = thisMachine()): void {
  for (const controller of Object.values(controllers)) {
    const parent = controllerFolder(controller, place)
    if (parent !== undefined) ignoring(() => fs.rmdirSync(path.join(parent.folder, name)))
  }
}

function makeGroup(folder: string, version: 1 | 2, key: keyof GroupLimits, limits: GroupLimits): string | undefined {
  return ignoring(() => {
    fs.mkdirSync(folder, { recursive: true })
    const [file, value] = setting(version, key, limits[key]!)
    fs.writeFileSync(path.join(folder, file), value)
    return path.join(folder, 'cgroup.procs')
  })
}

function setting(version: 1 | 2, key: keyof GroupLimits, value: number): readonly [string, string] {
  const quota = Math.max(1000, Math.round(value * cpuPeriodMicroseconds))
  switch (key) {
    case 'memoryBytes':
      return [version === 1 ? 'memory.limit_in_bytes' : 'memory.max', String(value)]
    case 'processes':
      return ['pids.max', String(value)]
    case 'cpu':
      return version === 1 ? ['cpu.cfs_quota_us', String(quota)] : ['cpu.max', `${quota} ${cpuPeriodMicroseconds}`]
  }
}

interface Parent {
  readonly version: 1 | 2
  readonly folder: string
}

function controllerFolder(controller: Controller, { root, membership }: GroupPlace): Parent | undefined {
  const own = new Map(
    membership
      .split('\n')
      .map(line => /^\d+:([^:]*):(.*)$/.exec(line))
      .flatMap(match => (match === null ? [] : match[1]!.split(',').map(name => [name, match[2]!] as const))),
  )
  const separate = own.get(controller)
  if (separate !== undefined) return { version: 1, folder: path.join(root, controller, separate) }
  const common = own.get('')
  return common === undefined ? undefined : delegatedFolder(controller, path.join(root, common))
}

/** The name of the group that we move into ourselves: a group with groups below it may have no process. */
const ownLeaf = 'cutover-serve'

function delegatedFolder(controller: Controller, own: string): Parent | undefined {
  const folder = path.basename(own) === ownLeaf ? path.dirname(own) : own
  if (!folder.endsWith('.service')) return undefined
  const isReady = ignoring(() => {
    const leaf = path.join(folder, ownLeaf)
    fs.mkdirSync(leaf, { recursive: true })
    for (const pid of words(path.join(folder, 'cgroup.procs'))) fs.writeFileSync(path.join(leaf, 'cgroup.procs'), pid)
    if (!words(path.join(folder, 'cgroup.controllers')).includes(controller)) return false
    fs.writeFileSync(path.join(folder, 'cgroup.subtree_control'), `+${controller}`)
    return true
  })
  return isReady === true ? { version: 2, folder } : undefined
}

function words(file: string): readonly string[] {
  return fs
    .readFileSync(file, 'latin1')
    .split(/\s+/)
    .filter(word => word !== '')
}

/** Limits are for those who may set them: an ordinary user may not, and goes on without. */
function ignoring<Value>(operation: () => Value): Value | undefined {
  try {
    return operation()
  } catch (caught) {
    if (isErrno(caught)) return undefined
    throw caught
  }
}
