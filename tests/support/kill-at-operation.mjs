// Loaded by `node --import`: kills the process, as kill -9 does, right after the n-th operation of a step that changes something: KILL_AT is
// `STEP:N`, the step `start` being what comes before the first one. Without KILL_AT every operation is written to OPERATIONS, a line each.
// Processes that this one starts are not affected. Steps are told apart by the events that `--json` writes.
import childProcess from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const changing = [
  ...[
    'appendFile',
    'copyFile',
    'cp',
    'fdatasync',
    'fsync',
    'ftruncate',
    'link',
    'mkdir',
    'mkdtemp',
    'open',
    'rename',
    'rm',
    'rmdir',
  ],
  ...['symlink', 'truncate', 'unlink', 'write', 'writeFile', 'writev'],
]
const starting = ['spawn', 'execFile', 'exec', 'fork']

const appendSync = fs.appendFileSync
let step = 'start'
let count = 0
/** An operation that is made of others is one. */
let depth = 0

function done(operation, subject) {
  if (process.env.KILL_AT === undefined) {
    const line = `${step}\t${operation} ${typeof subject === 'string' ? subject : ''}\n`
    nested(() => appendSync(process.env.OPERATIONS, line))
    return
  }
  count += 1
  if (process.env.KILL_AT === `${step}:${count}`) process.kill(process.pid, 'SIGKILL')
}

/** Opening a file for reading changes nothing, nor does talking to whoever started us. */
function isChange(name, args) {
  if (name.startsWith('write') && (args[0] === 1 || args[0] === 2)) return false
  if (!name.startsWith('open')) return true
  const flags = args[1] ?? 'r'
  return typeof flags === 'string' ? flags !== 'r' : typeof flags === 'number' && (flags & 3) !== fs.constants.O_RDONLY
}

function nested(act) {
  depth += 1
  try {
    return act()
  } finally {
    depth -= 1
  }
}

function countSync(name) {
  const original = fs[name]
  fs[name] = function (...args) {
    const isOuter = depth === 0
    const result = nested(() => original.apply(this, args))
    if (isOuter && isChange(name, args)) done(name, args[0])
    return result
  }
}

function countCallback(name) {
  const original = fs[name]
  fs[name] = function (...args) {
    const callback = args.at(-1)
    if (depth === 0 && typeof callback === 'function' && isChange(name, args)) {
      args[args.length - 1] = (...results) => {
        done(name, args[0])
        callback(...results)
      }
    }
    return nested(() => original.apply(this, args))
  }
}

function countPromise(name) {
  const original = fs.promises[name]
  fs.promises[name] = async function (...args) {
    const result = await original.apply(this, args)
    if (isChange(name, args)) done(`promises.${name}`, args[0])
    return result
  }
}

function countProcess(name) {
  const original = childProcess[name]
  childProcess[name] = function (...args) {
    const isOuter = depth === 0
    const child = nested(() => original.apply(this, args))
    if (isOuter) {
      const words = [args[0], ...(Array.isArray(args[1]) ? args[1] : [])].join(' ').replaceAll(/\s+/g, ' ')
      // Before whoever started it hears of its end.
      child.prependListener('exit', () => done('end of', words))
      done('start of', words)
    }
    return child
  }
}

if (isMainThread) {
  for (const name of changing) {
    if (`${name}Sync` in fs) countSync(`${name}Sync`)
    if (name in fs) countCallback(name)
    if (name in fs.promises) countPromise(name)
  }
  for (const name of starting) countProcess(name)
  const write = process.stdout.write
  process.stdout.write = function (text, ...rest) {
    for (const line of String(text).split('\n')) {
      if (!line.includes('"step-started"')) continue
      step = JSON.parse(line).step
      count = 0
    }
    return write.call(this, text, ...rest)
  }
  syncBuiltinESMExports()
}
