// Loaded by `node --import`, also in the threads of the process: does something at the n-th operation of a step that changes files.
//   KILL_AT=STEP:N         kills the process right after it, as kill -9 does
//   FAIL_AT=STEP:N:ERRNO   lets it fail instead of being done, as a broken or a full disk does; with `+` behind it all that come after as well
//   OPERATIONS=FILE        writes each to a file, a line each: the step, the operation, its subject
// The step `start` is what comes before the first one; steps are told apart by the events that `--json` writes. Processes that this one
// starts are not affected, but their start and their end count. Trees are removed and made, and files written, in the steps that
// the system does it in.
import childProcess from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import util from 'node:util'
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads'

const changing = [
  ...[
    'appendFile',
    'chmod',
    'chown',
    'copyFile',
    'cp',
    'fchmod',
    'fchown',
    'fdatasync',
    'fsync',
    'ftruncate',
    'futimes',
  ],
  ...[
    'lchown',
    'link',
    'lutimes',
    'mkdir',
    'mkdtemp',
    'open',
    'rename',
    'rm',
    'rmdir',
    'symlink',
    'truncate',
    'unlink',
  ],
  ...['utimes', 'write', 'writeFile', 'writev'],
]
const handleMethods = [
  'appendFile',
  'chmod',
  'chown',
  'datasync',
  'sync',
  'truncate',
  'utimes',
  'write',
  'writeFile',
  'writev',
]
const starting = ['spawn', 'execFile', 'exec', 'fork']

const original = { ...fs, promises: { ...fs.promises } }

/** What all threads share: how many operations the present step has had, the length of its name, whether all fail by now; its name. */
const nameBytes = 120
const memory = getEnvironmentData('kill-at-operation') ?? new SharedArrayBuffer(12 + nameBytes)
const counter = new Int32Array(memory, 0, 3)
const stepName = Buffer.from(memory, 12, nameBytes)
if (isMainThread) {
  setEnvironmentData('kill-at-operation', memory)
  enterStep('start')
}

const [mode, at] = ['KILL_AT', 'FAIL_AT', 'OPERATIONS']
  .map(name => [name, process.env[name]])
  .find(([, value]) => value !== undefined) ?? ['NONE']
const [, wantedStep, wantedCount, wantedErrno, andAfter] = /^(.*):(\d+)(?::([A-Z]+)(\+?))?$/.exec(at ?? '') ?? []

/** An operation that is made of others is one, unless it is taken apart below. */
let depth = 0

function enterStep(name) {
  stepName.fill(0)
  counter[1] = stepName.write(name)
  Atomics.store(counter, 0, 0)
}

const step = () => Buffer.from(stepName.subarray(0, counter[1])).toString()

/** Count an operation that is about to be done; the error that it ends with instead, if any. */
function begin(name, subject) {
  if (mode !== 'FAIL_AT') return undefined
  const isWanted = step() === wantedStep && Atomics.add(counter, 0, 1) + 1 === Number(wantedCount)
  if (isWanted && andAfter === '+') Atomics.store(counter, 2, 1)
  if ((!isWanted && Atomics.load(counter, 2) === 0) || name.startsWith('start of') || name.startsWith('end of'))
    return undefined
  const errno = -util
    .getSystemErrorMap()
    .entries()
    .find(([, [code]]) => code === wantedErrno)[0]
  const error = new Error(`${wantedErrno}: injected, ${name} '${describe(subject)}'`)
  return Object.assign(error, { errno: -errno, code: wantedErrno, syscall: name, path: describe(subject) })
}

/** An operation that failed by itself changed nothing. */
function cancel() {
  if (mode === 'FAIL_AT' && step() === wantedStep) Atomics.sub(counter, 0, 1)
}

function done(name, subject) {
  if (mode === 'OPERATIONS') {
    nested(() => original.appendFileSync(at, `${step()}\t${name} ${describe(subject)}\n`))
  } else if (mode === 'KILL_AT') {
    const count = Atomics.add(counter, 0, 1) + 1
    if (count === Number(wantedCount) && step() === wantedStep) process.kill(process.pid, 'SIGKILL')
  }
}

function describe(subject) {
  if (typeof subject !== 'number') return String(subject ?? '')
  try {
    return original.readlinkSync(`/proc/self/fd/${subject}`)
  } catch {
    return ''
  }
}

/** Opening a file for reading changes nothing, nor does talking to whoever started us. */
function isChange(name, args) {
  if (typeof args[0] === 'number' && args[0] <= 2) return false
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
  const act = fs[name]
  fs[name] = function (...args) {
    if (depth > 0 || !isChange(name, args)) return nested(() => act.apply(this, args))
    const failure = begin(name, args[0])
    if (failure !== undefined) throw failure
    // It may be closed or gone afterwards.
    const subject = mode === 'OPERATIONS' ? describe(args[0]) : args[0]
    let result
    try {
      result = nested(() => act.apply(this, args))
    } catch (caught) {
      cancel()
      throw caught
    }
    done(name, subject)
    return result
  }
}

function countCallback(name) {
  const act = fs[name]
  const counted = function (...args) {
    const callback = args.at(-1)
    if (depth > 0 || typeof callback !== 'function' || !isChange(name, args)) {
      return nested(() => act.apply(this, args))
    }
    const failure = begin(name, args[0])
    if (failure !== undefined) return void process.nextTick(callback, failure)
    const subject = mode === 'OPERATIONS' ? describe(args[0]) : args[0]
    args[args.length - 1] = (error, ...results) => {
      if (error) cancel()
      else done(name, subject)
      callback(error, ...results)
    }
    return nested(() => act.apply(this, args))
  }
  fs[name] = counted
  const promisified = act[util.promisify.custom]
  if (promisified !== undefined) counted[util.promisify.custom] = countedPromise(name, promisified)
}

function countedPromise(name, act, subjectOf = (_self, args) => args[0]) {
  return async function (...args) {
    if (!isChange(name, args)) return act.apply(this, args)
    const subject = subjectOf(this, args)
    const failure = begin(name, subject)
    if (failure !== undefined) throw failure
    let result
    try {
      result = await act.apply(this, args)
    } catch (caught) {
      cancel()
      throw caught
    }
    done(name, subject)
    return result
  }
}

async function countHandles() {
  const handle = await original.promises.open('/dev/null')
  const prototype = Object.getPrototypeOf(handle)
  for (const name of handleMethods) {
    prototype[name] = countedPromise(`handle.${name}`, prototype[name], self => self.fd)
  }
  await handle.close()
}

function countProcess(name) {
  const act = childProcess[name]
  childProcess[name] = function (...args) {
    const isOuter = depth === 0
    const child = nested(() => act.apply(this, args))
    if (isOuter) {
      const words = [args[0], ...(Array.isArray(args[1]) ? args[1] : [])].join(' ').replaceAll(/\s+/g, ' ')
      const tell = what => {
        begin(what)
        done(what, words)
      }
      // Before whoever started it hears of its end.
      child.prependListener('exit', () => tell('end of'))
      tell('start of')
    }
    return child
  }
}

/** Remove, make and write in the steps that the system does it in, each counted. */
function takeApart() {
  const { rmSync, mkdirSync, writeFileSync } = fs
  const removeTree = place => {
    const stat = original.lstatSync(place, { throwIfNoEntry: false })
    if (stat === undefined) return
    if (!stat.isDirectory()) return fs.unlinkSync(place)
    for (const name of original.readdirSync(place)) removeTree(path.join(place, name))
    fs.rmdirSync(place)
  }
  const remove = (place, options) => {
    const isThere = original.lstatSync(place, { throwIfNoEntry: false }) !== undefined
    if (!isThere && options?.force) return undefined
    return options?.recursive && isThere ? removeTree(place) : rmSync(place, options)
  }
  fs.rmSync = remove
  fs.rm = (place, ...rest) => fs.promises.rm(place, ...rest.slice(0, -1)).then(() => rest.at(-1)(null), rest.at(-1))
  fs.promises.rm = async (place, options) => remove(place, options)
  fs.mkdirSync = (folder, options) => {
    const { recursive, mode: folderMode } =
      typeof options === 'object' && options !== null ? options : { mode: options }
    const plain = folderMode === undefined ? undefined : { mode: folderMode }
    if (!recursive) return mkdirSync(folder, plain)
    const above = path.dirname(folder)
    if (original.existsSync(folder)) return original.mkdirSync(folder, options)
    const first = above === folder ? undefined : fs.mkdirSync(above, options)
    mkdirSync(folder, plain)
    return first ?? folder
  }
  fs.promises.mkdir = async (folder, options) => fs.mkdirSync(folder, options)
  fs.writeFileSync = (place, data, options) => {
    if (typeof place === 'number') return writeFileSync(place, data, options)
    const {
      flag,
      mode: fileMode,
      ...rest
    } = typeof options === 'object' && options !== null ? options : { encoding: options }
    const descriptor = fs.openSync(place, flag ?? 'w', fileMode)
    try {
      writeFileSync(descriptor, data, rest)
    } finally {
      fs.closeSync(descriptor)
    }
  }
}

function tellSteps() {
  const write = process.stdout.write
  process.stdout.write = function (text, ...rest) {
    for (const line of String(text).split('\n')) {
      if (line.includes('"step-started"')) enterStep(JSON.parse(line).step)
    }
    return write.call(this, text, ...rest)
  }
}

if (mode !== 'NONE') {
  for (const name of changing) {
    if (`${name}Sync` in fs) countSync(`${name}Sync`)
    if (name in fs) countCallback(name)
    if (name in fs.promises) fs.promises[name] = countedPromise(`promises.${name}`, fs.promises[name])
  }
  takeApart()
  await countHandles()
  for (const name of starting) countProcess(name)
  if (isMainThread) tellSteps()
  syncBuiltinESMExports()
}
