import { done, type Outcome, skipped } from '../core/outcome.ts'
import { known } from '../core/step.ts'
import { gitIn } from '../source/git.ts'
import { publishRelease } from '../source/publish.ts'
import { leftWarning } from './cut-leftovers.ts'
import { writeRecord } from './cut-record.ts'
import { artifactsOf, type CutState, mainEnvironment } from './cut-state.ts'
import { rehearse } from './rehearse.ts'

/** Write the record and the checksums of what was made. */
export function record(state: CutState): Outcome<string> {
  state.record = writeRecord(state)
  return done(`release.json with ${artifactsOf(state).length} artifacts, SHA256SUMS`)
}

/** Try the release out on this machine. Errors: REHEARSAL_FAILED. */
export async function rehearseRelease(state: CutState): Promise<Outcome<string>> {
  const { loaded, wanted } = known(state.prepared)
  return rehearse(
    {
      prefix: known(state.workspace).prefix,
      release: known(state.output).partial,
      dist: state.dist,
      record: known(state.record),
      previous: wanted.previous,
      recipe: loaded.recipe,
      environmentName: mainEnvironment(known(state.prepared)),
      environment: state.options.environment,
    },
    state.tools,
  )
}

/** Put the folder of the release in its place. From here on only the tag is missing. */
export async function completeOutput(state: CutState): Promise<Outcome<string>> {
  state.tools.signal.throwIfAborted()
  const output = known(state.output)
  await output.complete()
  return done(output.folder)
}

/** Commit and tag the release in the user’s repository. Errors: SOURCE_MOVED, GIT_FAILED. */
export async function tagRelease(state: CutState): Promise<Outcome<string>> {
  const { loaded, facts, wanted } = known(state.prepared)
  if (wanted.tag === undefined) return skipped('CUT_SNAPSHOT', 'a snapshot is neither committed nor tagged')
  const { name, source } = loaded.recipe
  const { tree, changes, edits } = known(state.sources)
  const scratch = known(state.scratch)
  const from = facts.head.commit
  const message = `Release ${wanted.version}\n\n${changes}`
  const to = edits.length === 0 ? from : await scratch.writeCommit({ tree, parent: from, message })
  const tagMessage = `${name} ${wanted.version}\n\n${changes}`
  const tagObject = await scratch.writeTag({ name: wanted.tag, commit: to, message: tagMessage })
  const pending = {
    schema: 1,
    version: wanted.version,
    branch: source.branch,
    from,
    to,
    tag: wanted.tag,
    tagObject,
  } as const
  state.tools.signal.throwIfAborted()
  // From here on an interruption comes too late: this git knows no signal.
  const git = gitIn(state.places.root, { environment: state.options.environment })
  const { left, unfinished } = await publishRelease(git, state.places, scratch, pending)
  if (left.length > 0) state.tools.emit(leftWarning(left))
  if (unfinished !== undefined)
    state.tools.emit({
      kind: 'warning',
      code: 'WORKTREE_BEHIND',
      message: `the release is made, but your files could not follow: ${unfinished.message}; the next release command tries again`,
    })
  return done(`${wanted.tag} at ${to.slice(0, 12)}`)
}
