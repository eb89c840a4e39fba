import { execFile } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { inspect, isDeepStrictEqual, promisify } from 'node:util'
import { digestOf } from '../../src/core/digest.ts'
import { readJournal } from '../../src/prefix/journal.ts'
import type { PrefixPaths } from '../../src/prefix/layout.ts'
import { replay } from '../../src/prefix/state.ts'

/** Everything below a prefix that a command may leave behind: type, mode, owner and content of each path. */
export type PrefixTree = Readonly<Record<string, string>>

/**
 * Describe a prefix so that two are equal when nothing that matters differs.
 *
 * Left out: times, the journal's lines (see {@link endOf}), and what is written for people who wait for the lock. Random secrets are
 * compared by their names.
 */
export function prefixTree(paths: PrefixPaths): PrefixTree {
  const hide = secretHider(paths)
  const tree: Record<string, string> = {}
  const walk = (folder: string) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const place = path.join(folder, entry.name)
      const name = path.relative(paths.root, place)
      if (ofThisRun.test(name)) continue
      tree[name.replace(momentOfQuarantine, '$1')] = describe(place, hide)
      if (entry.isDirectory()) walk(place)
    }
  }
  walk(paths.root)
  return tree
}

/** The journal and the evidence of failures tell what was done, not only what came of it; the lock's files come and go with its holders. */
const ofThisRun =
  /^(journal\/(journal\.ndjson|failures.*)|releases\/\.leftover.*|run\/lock.*|run\/log\/.*|.*\.sqlite-(wal|shm))$/

/** What is put into quarantine goes to a folder that is named by the time. */
const momentOfQuarantine = /^(releases\/\.quarantine\/)\d{8}T\d{6}Z-/

function describe(place: string, hide: (content: Buffer) => Buffer): string {
  const { mode, uid, gid } = fs.lstatSync(place)
  const about = `${(mode & 0o7777).toString(8)} ${uid}:${gid}`
  switch (mode & fs.constants.S_IFMT) {
    case fs.constants.S_IFDIR:
      return `folder ${about}`
    case fs.constants.S_IFLNK:
      return `link to ${fs.readlinkSync(place)}`
    case fs.constants.S_IFREG:
      if (place.endsWith('.sqlite')) return `database ${about} ${digestOf(contentOf(place))}`
      // Python notes in it when the source was written; the list of what setup added has its digests.
      if (place.endsWith('.pyc') || place.endsWith('/.cutover/additions.json')) return `of its time ${about}`
      return `file ${about} ${digestOf(hide(fs.readFileSync(place)))}`
    default:
      return `other ${about}`
  }
}

/** What a database holds: its pages also tell how often it was written, and a part may still be in its log. Read from a copy, for reading makes files. */
function contentOf(database: string): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-test-database-'))
  try {
    for (const end of ['', '-wal']) {
      if (fs.existsSync(database + end)) fs.copyFileSync(database + end, path.join(folder, `copy${end}`))
    }
    using opened = new DatabaseSync(path.join(folder, 'copy'))
    const schema = opened.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all()
    const tables = schema.filter(({ type, name }) => type === 'table' && !String(name).startsWith('sqlite_'))
    const rows = tables.map(({ name }) => opened.prepare(`SELECT * FROM "${name}"`).all())
    const { user_version } = opened.prepare('PRAGMA user_version').get()!
    return JSON.stringify([schema, rows, user_version])
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function secretHider(paths: PrefixPaths): (content: Buffer) => Buffer {
  const secrets = fs.existsSync(paths.secrets)
    ? Object.entries(JSON.parse(fs.readFileSync(paths.secrets, 'utf8')) as Record<string, string>)
    : []
  if (secrets.length === 0) return content => content
  const inText = (text: string) => secrets.reduce((shown, [name, secret]) => shown.replaceAll(secret, name), text)
  return content => Buffer.from(inText(content.toString('latin1')), 'latin1')
}

/** What a prefix comes to: its tree, and what its journal says without saying when. */
export function endOf(paths: PrefixPaths) {
  const { active, activations, avoided, migrations, pruned, releases, rollbackFloor, unfinished } = replay(
    readJournal(paths.journal),
  )
  const statuses = Object.fromEntries([...releases.values()].map(({ version, status }) => [version, status]))
  const state = { active, activations, avoided, migrations, pruned, rollbackFloor, statuses, unfinished }
  return { tree: prefixTree(paths), state }
}

/** Name what differs between two ends. */
export function differences(wanted: ReturnType<typeof endOf>, found: ReturnType<typeof endOf>): readonly string[] {
  const names = new Set([...Object.keys(wanted.tree), ...Object.keys(found.tree)])
  const paths = [...names].filter(name => wanted.tree[name] !== found.tree[name])
  const states = isDeepStrictEqual(wanted.state, found.state) ? [] : [inspect(wanted.state), inspect(found.state)]
  return [...paths.map(name => `${name}: ${wanted.tree[name]}, found ${found.tree[name]}`), ...states]
}

/** The files of the release that `current` names, or undefined when it names none. */
export function currentTree(paths: PrefixPaths): PrefixTree | undefined {
  const target = fs.lstatSync(paths.current, { throwIfNoEntry: false }) && fs.readlinkSync(paths.current)
  return target === undefined ? undefined : below(prefixTree(paths), target)
}

/** The part of a tree that is below a folder. */
export function below(tree: PrefixTree, folder: string): PrefixTree {
  return Object.fromEntries(Object.entries(tree).filter(([name]) => name.startsWith(`${folder}/`)))
}

/** Copy a prefix as it is; what was in its place is gone. */
export async function copyPrefix(from: string, to: string): Promise<void> {
  await promisify(execFile)('rm', ['-rf', to])
  if (fs.existsSync(from)) await promisify(execFile)('cp', ['-a', from, to])
}
