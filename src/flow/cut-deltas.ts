import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { done, type Outcome, skipped } from '../core/outcome.ts'
import { formatBytes } from '../core/quantity.ts'
import { known } from '../core/step.ts'
import { deltaFileName } from '../payload/delta/format.ts'
import type { Artifact } from '../payload/release-record.ts'
import { openSegmentSource } from '../payload/source.ts'
import type { CutState, PackedComponent } from './cut-state.ts'
import { deltaBaseFinder, type FindBase, isUnusableBase } from './delta-base.ts'
import type { ResolvedPayload } from './resolved-release.ts'

/** What is released in place of a delta pack whose base cannot be had; `reason` says why. */
export type MissingBase = (delta: {
  readonly component: string
  readonly from: string
  readonly reason: string
}) => Artifact | undefined

/** Make delta packs from the releases before, of every component. Errors: those of reading a release that is there, and of `createDelta`. */
export function makeDeltas(state: CutState): Promise<Outcome<string>> {
  return makeDeltasOr(state, ({ component, from, reason }) => {
    const message = `no delta of ${component} from ${from}, which upgrades from there could fetch less by: ${reason}`
    state.tools.emit({ kind: 'warning', code: 'DELTA_LEFT_OUT', message })
    return undefined
  })
}

/** Make delta packs as {@link makeDeltas} does, and ask for what to take where a base is missing. */
export async function makeDeltasOr(state: CutState, missing: MissingBase): Promise<Outcome<string>> {
  const find = deltaBaseFinder(state)
  const made: string[] = []
  for (const packed of known(state.packed)) {
    const { name } = packed.component
    for (const from of known(state.prepared).deltaBases.get(name) ?? []) {
      const result = await attemptDelta(state, packed, { from, find })
      const delta = typeof result === 'string' ? missing({ component: name, from, reason: result }) : result
      if (delta === undefined) continue
      packed.artifacts.push(delta)
      made.push(`${delta.name} (${formatBytes(delta.sizeBytes)})`)
    }
  }
  return made.length === 0
    ? skipped('CUT_NO_DELTAS', 'there is no release before to make one from')
    : done(made.join(', '))
}

/** Make a delta, or say why its base cannot be used: a release of old that is gone or damaged stops no new one. */
async function attemptDelta(
  state: CutState,
  packed: PackedComponent,
  { from, find }: { readonly from: string; readonly find: FindBase },
): Promise<Artifact | string> {
  try {
    const release = await find(from)
    if (release === undefined) return `it is neither in ${state.dist} nor in a repository of this clone`
    const old = release.component(packed.component.name)
    return old === undefined ? 'it had no such component' : await makeDelta(state, packed, { from, old })
  } catch (caught) {
    if (isUnusableBase(caught)) return caught.message
    throw caught
  }
}

async function makeDelta(
  state: CutState,
  packed: PackedComponent,
  { from, old }: { readonly from: string; readonly old: ResolvedPayload },
): Promise<Artifact> {
  const { tools } = state
  const { createDelta } = await import('../payload/delta/create.ts')
  const { partial } = known(state.output)
  const name = deltaFileName(packed.manifest.name, packed.manifest.version, from)
  return createDelta({
    old: await openBase(old),
    new: { manifest: packed.manifest, source: openPacked(packed, partial) },
    file: path.join(partial, name),
    onProgress: (done, total) =>
      tools.emit({ kind: 'progress', step: 'deltas', what: name, unit: 'bytes', done, total }),
    signal: tools.signal,
  })
}

async function openBase(old: ResolvedPayload) {
  const { manifest } = await old.manifest()
  // What one envelope does not give another may.
  return { manifest, source: await old.source(manifest, () => {}) }
}

function openPacked({ tarball, manifest }: PackedComponent, folder: string) {
  const url = pathToFileURL(path.join(folder, tarball.name)).href
  return openSegmentSource({ url, payloadOffset: tarball.payloadOffset, manifest })
}
