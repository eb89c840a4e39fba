import fs from 'node:fs'
import path from 'node:path'
import { ReleaseError } from '../core/error.ts'
import { formatBytes } from '../core/quantity.ts'
import type { PayloadManifest } from '../payload/manifest.ts'
import { differenceKinds } from '../payload/tree-difference.ts'
import { verifyTree } from '../payload/verify.ts'
import { extractFile, findFile, type OpenedPayload, sendFile } from './inspect-extract.ts'
import { type Inspected, type InspectOpenOptions, openInspected } from './inspect-open.ts'
import { entriesTable, formOf, inspectTables } from './inspect-tables.ts'
import type { FlowTools } from './tools.ts'

/** What to look at, and what to do with it; nothing more than looking when `action` is `show`. */
export type InspectOptions = InspectOpenOptions & {
  readonly action:
    | { readonly kind: 'show' }
    | { readonly kind: 'list' }
    /** Compare with a folder: the payload's root, or where a tarball was unpacked. */
    | { readonly kind: 'compare'; readonly folder: string }
    | { readonly kind: 'extract'; readonly path: string; readonly output: string }
    /** Hand the content of a file to `write`, and say nothing. */
    | { readonly kind: 'send'; readonly path: string; readonly write: (piece: Uint8Array) => Promise<void> }
}

/** How a command ends: what it says to people and to programs. */
interface Ending {
  readonly changed?: boolean
  readonly message: string
  readonly result: object
}

/**
 * Look into something that `cut` wrote, here or on a server, without reading more of it than is needed.
 *
 * Errors: INSPECT_UNKNOWN, INSPECT_NO_MANIFEST, INSPECT_NO_FILE, INSPECT_NO_CONTENT, INSPECT_DIFFERS (a folder), those of
 * {@link openInspected} and of extracting.
 */
export async function inspect(options: InspectOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const inspected = await openInspected(options, tools.signal)
  const ending = await act(inspected, options, tools)
  if (ending === undefined) return
  const durationMs = tools.clock.elapsedMs() - startedMs
  tools.emit({ kind: 'run-done', command: 'inspect', changed: false, durationMs, ...ending })
}

async function act(
  inspected: Inspected,
  { cwd, action }: InspectOptions,
  tools: FlowTools,
): Promise<Ending | undefined> {
  switch (action.kind) {
    case 'show': {
      for (const table of inspectTables(inspected)) tools.emit({ kind: 'table', ...table })
      return { message: `${inspected.place} is ${article(formOf(inspected))}`, result: resultOf(inspected) }
    }
    case 'list': {
      const manifest = manifestOf(inspected)
      tools.emit({ kind: 'table', ...entriesTable(manifest) })
      const message = `${inspected.place} has ${manifest.files.length} entries below ${manifest.root}`
      return { message, result: { files: manifest.files } }
    }
    case 'compare':
      return compare(inspected, path.resolve(cwd, action.folder), tools)
    case 'extract':
      return extract(payloadOf(inspected), { ...action, output: path.resolve(cwd, action.output) }, tools)
    case 'send': {
      const payload = payloadOf(inspected)
      await sendFile(payload, findFile(payload, action.path), { write: action.write, signal: tools.signal })
      return undefined
    }
  }
}

async function extract(
  payload: OpenedPayload,
  { path: wanted, output }: { readonly path: string; readonly output: string },
  { signal }: FlowTools,
): Promise<Ending> {
  const file = findFile(payload, wanted)
  const fetchedBytes = await extractFile(payload, file, { output, signal })
  const { sizeBytes, digest } = file
  return {
    changed: true,
    message: `wrote ${output}: ${formatBytes(sizeBytes)}, ${digest}, from ${formatBytes(fetchedBytes)} of ${payload.place}`,
    result: { output, path: file.path, sizeBytes, digest, fetchedBytes },
  }
}

/** A tarball that was unpacked has the payload's root below the folder; a prefix or an image's file system may be named either way. */
async function compare(inspected: Inspected, named: string, tools: FlowTools): Promise<Ending> {
  const manifest = manifestOf(inspected)
  const isFolder = (name: string) => fs.statSync(name, { throwIfNoEntry: false })?.isDirectory() === true
  const folder = [path.join(named, manifest.root), named].find(isFolder)
  if (folder === undefined) {
    throw new ReleaseError('INSPECT_DIFFERS', `${named} is no folder to compare with ${inspected.place}`, {
      hint: 'name the folder that the tarball was unpacked into',
      details: { path: named },
    })
  }
  const found = await verifyTree(folder, manifest.files, {
    signal: tools.signal,
    onProgress: (done, total) =>
      tools.emit({ kind: 'progress', step: 'compare', what: 'files', unit: 'files', done, total }),
  })
  const byKind = Object.fromEntries(
    differenceKinds.map(kind => [kind, found.filter(each => each.kind === kind).map(each => each.path)]),
  )
  if (found.length === 0) {
    const message = `${folder} is ${manifest.name} ${manifest.version}: all ${manifest.files.length} entries are the same`
    return { message, result: { folder, ...byKind } }
  }
  const counts = Object.entries(byKind).flatMap(([kind, paths]) =>
    paths.length > 0 ? [`${paths.length} ${kind}`] : [],
  )
  const shown = found.slice(0, shownPaths).map(each => `${each.kind}: ${each.path}`)
  throw new ReleaseError(
    'INSPECT_DIFFERS',
    [`${folder} differs from ${manifest.name} ${manifest.version}: ${counts.join(', ')}`, ...shown].join('\n'),
    {
      hint: `unpack it anew, or get a file back with \`release inspect ${inspected.place} --extract PATH --output FILE\``,
      details: { path: folder, ...byKind },
    },
  )
}

const shownPaths = 50

function manifestOf(inspected: Inspected): PayloadManifest {
  if ('manifest' in inspected && inspected.manifest !== undefined) return inspected.manifest
  if (inspected.kind === 'delta') throw noContent(inspected)
  throw new ReleaseError(
    'INSPECT_NO_MANIFEST',
    `${inspected.place} is ${article(formOf(inspected))} without a payload`,
    {
      hint: `\`release inspect ${inspected.place}\` shows what is known of it`,
      details: { place: inspected.place },
    },
  )
}

function payloadOf(inspected: Inspected): OpenedPayload {
  const manifest = manifestOf(inspected)
  if ('content' in inspected && inspected.content !== undefined) {
    return { place: inspected.place, manifest, content: inspected.content }
  }
  throw noContent(inspected)
}

function noContent(inspected: Inspected): ReleaseError {
  const message = `${inspected.place} is ${article(formOf(inspected))}, which does not hold the files of the release`
  return new ReleaseError('INSPECT_NO_CONTENT', message, { details: { place: inspected.place } })
}

/** For programs: everything that was read, but where a package's scripts would be a map. */
function resultOf(inspected: Inspected): object {
  if (inspected.kind !== 'deb') return inspected
  const { deb, ...rest } = inspected
  return { ...rest, control: deb.control, members: deb.members }
}

function article(form: string): string {
  return `${/^[aeiou]/.test(form) ? 'an' : 'a'} ${form}`
}
