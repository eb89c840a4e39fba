import path from 'node:path'
import { commandText } from '../build/commands.ts'
import { formatBytes } from '../core/quantity.ts'
import { known } from '../core/step.ts'
import { componentsOf } from '../recipe/components.ts'
import type { PendingRelease } from '../source/publish.ts'
import { artifactsOf, type RequestedCut } from './cut-state.ts'

/** What a cut hands to programs. */
export interface CutResult {
  readonly name: string
  readonly version: string
  readonly tag: string | undefined
  readonly folder: string
  readonly artifacts: readonly string[]
}

/** Show what was made, and what to do next. */
export function reportCut(state: RequestedCut, durationMs: number): void {
  const { emit } = state.tools
  const artifacts = artifactsOf(state)
  const record = known(state.record)
  const { folder } = known(state.output)
  emit({
    kind: 'table',
    title: `Artifacts of ${record.name} ${record.version}`,
    columns: ['Kind', 'Name', 'Size', 'Digest'],
    rows: artifacts.map(({ kind, name, sizeBytes, digest }) => [kind, name, formatBytes(sizeBytes), digest]),
  })
  const place = path.relative(state.options.cwd, folder) || folder
  const made = record.tag === undefined ? 'cut, as a snapshot without a tag' : `cut and tagged ${record.tag}`
  const result: CutResult = {
    name: record.name,
    version: record.version,
    tag: record.tag,
    folder,
    artifacts: artifacts.map(artifact => artifact.name),
  }
  emit({
    kind: 'run-done',
    command: 'cut',
    changed: true,
    durationMs,
    message: `${record.name} ${record.version} is ${made}, in ${place}; publish it with: release upload ${record.version}`,
    result,
  })
}

/** Say that a release is made whose command was killed right before its end. */
export function reportFinished(state: RequestedCut, release: PendingRelease, durationMs: number): void {
  const folder = path.join(state.dist, release.version)
  const message = `${release.version} was cut by a command that was killed at its end; ${release.tag} is complete now, in ${folder}`
  const result = { version: release.version, tag: release.tag, folder }
  state.tools.emit({ kind: 'run-done', command: 'cut', changed: true, durationMs, message, result })
}

/** Show what a cut would do. */
export function reportPlan(state: RequestedCut, steps: readonly string[], durationMs: number): void {
  const { loaded, facts, wanted, changes } = known(state.prepared)
  const { recipe, file } = loaded
  const { node, source } = recipe
  const components = componentsOf(recipe).map(({ name, deb, oci }) => {
    const envelopes = ['tarball', ...(deb === undefined ? [] : ['deb']), ...(oci === undefined ? [] : ['oci'])]
    return `${name}: ${envelopes.join(', ')}`
  })
  const changelog = source.changelog === false ? [] : [source.changelog]
  const rows = [
    ['release', `${recipe.name} ${wanted.version}`],
    ['recipe', file],
    ['commit', facts.head.commit],
    ['tag', wanted.tag ?? 'none: a snapshot'],
    ['after', wanted.previous ?? 'nothing: the first release'],
    ['changes', changes.trim()],
    ['edits', [...new Set(source.versionFiles.map(edit => edit.path)), ...changelog].join(', ') || 'none'],
    ['tests', recipe.tests.map(commandText).join('; ') || 'none'],
    ['build', recipe.build.map(commandText).join('; ') || 'nothing'],
    ['envelopes', components.join('; ')],
    ['services', node.services.map(service => service.name).join(', ') || 'none'],
    ['output', path.join(state.dist, wanted.version)],
    ['steps', steps.join(' → ')],
  ]
  state.tools.emit({ kind: 'table', title: 'Plan', columns: ['What', 'Value'], rows })
  const result = { name: recipe.name, version: wanted.version, tag: wanted.tag, previous: wanted.previous, changes }
  const message = `${recipe.name} ${wanted.version} could be cut; nothing was changed`
  state.tools.emit({ kind: 'run-done', command: 'cut', changed: false, durationMs, message, result })
}
