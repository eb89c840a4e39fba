import fs from 'node:fs'
import { ReleaseError } from '../../core/error.ts'
import { readTextIfExists, writeFileAtomic } from '../../sys/files.ts'
import { takeLock } from '../../sys/lock.ts'
import { askHaproxy, runtimeWord } from './haproxy-runtime.ts'

/** A map of HAProxy: the file that it reads at its start, and the socket over which a running one is told. */
export interface RouteMap {
  readonly socket: string
  /** Named as in HAProxy's configuration, for that is how it is found there. */
  readonly map: string
}

/** Another process that changes the same file is done in a moment. */
const lockWaitMs = 5000

/**
 * Say in a map of HAProxy what belongs to a key: in its file, and to the running HAProxy.
 *
 * Post: durable in the file before it is told, so that a reload or a restart keeps it; the running one was asked and has it. Other lines
 * of the file stay as they are. Calls of several processes on one file come one after the other.
 * Errors: GATE_SERVER_UNREACHABLE, GATE_SERVER_REFUSED, then the file is as it was; GATE_SERVER_SETTINGS, LOCKED, FILE_IO.
 * Crash: the file may be ahead of the running HAProxy; the same call again, or a reload, brings them together.
 */
export async function setRoute(place: RouteMap, key: string, backend: string): Promise<void> {
  using _lock = await lockMap(place.map)
  const before = readTextIfExists(place.map)
  persist(place.map, key, backend)
  try {
    await tell(place, key, backend)
  } catch (caught) {
    if (before !== undefined) writeMap(place.map, before)
    throw caught
  }
}

/** Say it in the file only: for the next start of a HAProxy that is away. Errors: GATE_SERVER_SETTINGS, LOCKED, FILE_IO. */
export async function persistRoute(map: string, key: string, backend: string): Promise<void> {
  using _lock = await lockMap(map)
  persist(map, key, backend)
}

/** Ask the running HAProxy what belongs to a key; undefined when nothing does. Errors: GATE_SERVER_UNREACHABLE, GATE_SERVER_REFUSED. */
export async function routeOf({ socket, map }: RouteMap, key: string): Promise<string | undefined> {
  const text = await askMap({ socket, map }, `show map ${runtimeWord(map)}`)
  for (const line of text.split('\n')) {
    // Shape: its address in memory, the key, the value.
    const [, found, value] = line.split(' ')
    if (found === key) return value
  }
  return undefined
}

/**
 * Write a map with another value for a key.
 *
 * Post: comments and other lines keep their place; a key that stood there twice stands there once. Source: HAProxy Configuration Manual
 * §7.3.1, map: key, white space, value; the first line of a key counts.
 */
export function withRoute(text: string, key: string, backend: string): string {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const isOurs = (line: string) => line.trim().split(/\s+/)[0] === key
  const first = lines.findIndex(isOurs)
  const kept = lines.filter((line, index) => index === first || !isOurs(line))
  const ours = `${key} ${backend}`
  if (first === -1) kept.push(ours)
  else kept[first] = ours
  return `${kept.join('\n')}\n`
}

function persist(map: string, key: string, backend: string): void {
  const before = readTextIfExists(map)
  const after = withRoute(before ?? '', runtimeWord(key), runtimeWord(backend))
  if (after !== before) writeMap(map, after)
}

function writeMap(map: string, text: string): void {
  const found = fs.statSync(map, { throwIfNoEntry: false })
  const owner = found === undefined ? undefined : { uid: found.uid, gid: found.gid }
  writeFileAtomic(map, text, { mode: found === undefined ? 0o644 : found.mode & 0o777, owner })
}

async function tell(place: RouteMap, key: string, backend: string): Promise<void> {
  const known = await routeOf(place, key)
  if (known === backend) return
  const verb = known === undefined ? 'add' : 'set'
  await askMap(place, `${verb} map ${runtimeWord(place.map)} ${runtimeWord(key)} ${runtimeWord(backend)}`)
  const found = await routeOf(place, key)
  if (found === backend) return
  const what = `HAProxy at ${place.socket} was told ${key} ${backend} for ${place.map}`
  throw new ReleaseError('GATE_SERVER_REFUSED', `${what}, and has ${found ?? 'nothing'}`, {
    details: { path: place.map, key, found },
  })
}

async function askMap({ socket, map }: RouteMap, command: string): Promise<string> {
  try {
    return await askHaproxy(socket, command)
  } catch (caught) {
    if (!(caught instanceof ReleaseError) || caught.code !== 'GATE_SERVER_REFUSED') throw caught
    throw new ReleaseError('GATE_SERVER_REFUSED', `${caught.message} (map ${map})`, {
      hint: 'use the map in its configuration, as `cutover gate config haproxy` prints it, by this very path',
      cause: caught,
      details: caught.details,
    })
  }
}

function lockMap(map: string) {
  return takeLock(`${map}.lock`, { command: 'gate', waitMs: lockWaitMs })
}
