import fs from 'node:fs'
import { replaceSymlink, syncFolder } from '../sys/files.ts'
import type { OpEffect } from './apply.ts'
import { backUp, restore } from './backup.ts'
import { setUp, share } from './configure.ts'
import type { FileChange } from './file-change.ts'
import { currentVersion, isComplete } from './installed.ts'
import { migrate } from './migrate.ts'
import { type FileFigures, Staging } from './staging.ts'

/** The effects of the operations that need nothing but the prefix. */
export interface FileEffects {
  readonly figures: Readonly<FileFigures>
  readonly stage: OpEffect
  readonly fetch: OpEffect
  readonly setup: OpEffect
  readonly verify: OpEffect
  readonly share: OpEffect
  readonly switch: OpEffect
  readonly migrate: (migration: string) => OpEffect
  /** The backup in a folder. */
  readonly backup: (folder: string) => OpEffect
}

/** Bind the operations on files to a change. */
export function fileEffects(change: FileChange): FileEffects {
  const staging = new Staging(change)
  const never = () => false
  const keep = () => {}
  return {
    figures: staging.figures,
    stage: {
      isDone: never,
      apply: () => staging.begin(),
      revert: () => staging.revert(),
    },
    fetch: { isDone: never, apply: () => staging.fetch(), revert: keep },
    setup: { isDone: never, apply: () => setUp(change), revert: keep },
    verify: { isDone: () => isComplete(change.paths, change.version), apply: () => staging.seal(), revert: keep },
    share: { isDone: never, apply: () => share(change), revert: keep },
    switch: switchEffect(change),
    backup: folder => ({
      isDone: never,
      apply: () => backUp(change, folder),
      revert: () => restore(change, folder),
    }),
    migrate: migration => ({ isDone: never, apply: () => migrate(change, migration), revert: keep }),
  }
}

function switchEffect({ paths, version, from }: FileChange): OpEffect {
  const pointTo = (release: string) => replaceSymlink(paths.current, `releases/${release}`)
  return {
    isDone: () => currentVersion(paths) === version,
    apply: () => {
      pointTo(version)
      return `${from ?? 'nothing'} → ${version}`
    },
    revert: () => {
      if (currentVersion(paths) === from) return
      if (from !== undefined) return pointTo(from)
      fs.rmSync(paths.current, { force: true })
      syncFolder(paths.root)
    },
  }
}
