import fs from 'node:fs'
import path from 'node:path'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { fillPlaceholders } from '../recipe/placeholders.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import { type Account, actingAs } from '../sys/account.ts'
import { makeFolder, writeFileAtomic } from '../sys/files.ts'
import type { PrefixPaths } from './layout.ts'
import { readTemplate } from './template.ts'

/** What is made below `shared/`, and for whom. */
export interface SharedRequest {
  readonly paths: PrefixPaths
  readonly version: string
  readonly environment: string
  readonly node: Pick<NodeRecipe, 'shared' | 'files'>
  readonly values: Readonly<Record<string, string>>
  /** Whom all of it belongs to; undefined where that is whoever runs us. */
  readonly account: Account | undefined
}

/**
 * Make what outlives releases: folders below `shared/`, and configuration files from the release's templates.
 *
 * Post: a file that exists keeps its content; hence run again for every release. What belonged to root alone is the account's. What was
 * written, for people. `shared/` itself stays root's: what stands in it is trusted, and all below that is made with the account's rights,
 * whatever links the application has put there. Errors: RECIPE_PLACEHOLDER, SHARED_OWNER, FILE_IO.
 */
export function makeShared(request: SharedRequest): readonly string[] {
  const { paths, node, account } = request
  attempt(() => {
    makeFolder(paths.shared, { mode: 0o750 })
    if (account !== undefined) fs.chownSync(paths.shared, 0, account.gid)
  })
  for (const folder of node.shared) {
    giveTop(request, folder)
    actingAs(account, () => makeFolder(path.join(paths.shared, folder), { mode: 0o750 }))
  }
  return node.files.flatMap(file => makeFile(request, file))
}

function makeFile(request: SharedRequest, { path: name, template, mode }: NodeRecipe['files'][number]): string[] {
  const { paths, values, account } = request
  const file = path.join(paths.shared, name)
  const isTop = !name.includes('/')
  if (!isTop) {
    giveTop(request, path.dirname(name))
    actingAs(account, () => makeFolder(path.dirname(file), { mode: 0o750 }))
  }
  if (template === undefined) return []
  if (isThere(file, account)) {
    if (isTop) give(file, account)
    return []
  }
  const text = fillPlaceholders(readTemplate({ ...request, template }), values, template)
  const write = () => writeFileAtomic(file, text, { mode: Number.parseInt(mode, 8), owner: account })
  if (isTop) write()
  else actingAs(account, write)
  return [name]
}

/** Make the first folder of a path, which stands in `shared/` itself, and give it to the account. */
function giveTop({ paths, account }: SharedRequest, name: string): void {
  if (account === undefined) return
  const top = path.join(paths.shared, name.split('/')[0]!)
  makeFolder(top, { mode: 0o750 })
  give(top, account)
}

/** Give what is root's alone to the account, with all below it. Errors: SHARED_OWNER when it is a third one's. */
function give(place: string, account: Account | undefined): void {
  if (account === undefined) return
  const stat = attempt(() => fs.statSync(place))
  if (stat.uid === account.uid) return
  if (stat.uid !== 0) {
    throw new ReleaseError('SHARED_OWNER', `${place} belongs to user ${stat.uid}, expected ${account.uid}`, {
      hint: `run chown -R ${account.uid}:${account.gid} ${place}`,
      details: { path: place, found: stat.uid, expected: account.uid },
    })
  }
  // An administrator may keep a file from being written to by the application: then only its group is the account's.
  if (stat.gid !== account.gid) attempt(() => giveAll(place, account))
}

function giveAll(place: string, account: Account): void {
  const isFolder = fs.statSync(place).isDirectory()
  if (isFolder) {
    for (const entry of fs.readdirSync(place, { withFileTypes: true })) {
      const below = path.join(place, entry.name)
      if (entry.isDirectory()) giveAll(below, account)
      else fs.lchownSync(below, account.uid, account.gid)
    }
  }
  fs.chownSync(place, account.uid, account.gid)
}

function isThere(file: string, account: Account | undefined): boolean {
  return actingAs(account, () => fs.existsSync(file))
}

function attempt<T>(work: () => T): T {
  try {
    return work()
  } catch (caught) {
    throw isErrno(caught) ? toReleaseError(caught) : caught
  }
}
