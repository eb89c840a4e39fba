import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { done, type Outcome } from '../core/outcome.ts'
import { known, runSteps, type Step } from '../core/step.ts'
import type { BaseImage } from '../envelope/oci-base.ts'
import { parseBase } from '../recipe/base.ts'
import { componentsOf } from '../recipe/components.ts'
import { findRecipe } from '../recipe/find.ts'
import { type ImageLock, type LockedBase, lockFileOf, renderImageLock } from '../recipe/image-lock.ts'
import { loadRecipe } from '../recipe/load.ts'
import type { RecipeImage } from '../recipe/schema.ts'
import { findRepository } from '../source/facts.ts'
import { gitIn } from '../source/git.ts'
import { readTextIfExists, removeTree, writeFileAtomic } from '../sys/files.ts'
import { openCurrentBase, readImageLock } from './base-image.ts'
import type { RegistryOptions } from './image-registry.ts'
import type { FlowTools } from './tools.ts'

/** What to lock. */
export interface ImageLockOptions extends RegistryOptions {
  /** A recipe outside of the repository: the file, or a folder that holds it. Absolute. */
  readonly recipe?: string | undefined
  /** Ask registries again for tags that are locked already. */
  readonly update: boolean
}

interface LockState {
  readonly options: ImageLockOptions
  readonly tools: FlowTools
  readonly recipeFile: string
  readonly images: readonly RecipeImage[]
  before?: ImageLock
  after?: ImageLock
}

const lookStep = 'look at the base images'

const steps: readonly Step<LockState, unknown>[] = [
  { name: lookStep, required: true, run: lookAtBases },
  // Last: a base that cannot be had changes nothing.
  { name: 'write the lock', required: true, run: writeLock },
]

/**
 * Fix the images that a recipe builds on by their digests, in the lock file beside the recipe.
 *
 * Folders and archives are locked as they are now; what a registry has under a tag only when it is not locked yet, unless `update` says so.
 * Names that the recipe no longer has are left out. Errors: RECIPE_NOT_FOUND, RECIPE_INVALID, BASE_LOCK_INVALID, SOURCE_NOT_GIT, those of
 * bases. Crash: the old lock file or the new one.
 */
export async function lockImages(options: ImageLockOptions, tools: FlowTools): Promise<void> {
  const startedMs = tools.clock.elapsedMs()
  const recipeFile = await locateRecipe(options, tools)
  const images = componentsOf(loadRecipe(recipeFile).recipe).flatMap(({ oci }) => (oci === undefined ? [] : [oci]))
  const state: LockState = { options, tools, recipeFile, images: images.filter(({ base }) => base !== 'scratch') }
  const file = lockFileOf(recipeFile)
  tools.emit({ kind: 'run-started', command: 'image lock', subject: file, steps: steps.map(step => step.name) })
  await runSteps(steps, state, { emit: tools.emit, nowMs: tools.clock.elapsedMs })
  const { bases } = known(state.after)
  const isChanged = renderImageLock(known(state.before)) !== renderImageLock(known(state.after))
  tools.emit({
    kind: 'table',
    title: 'Base images',
    columns: ['Image', 'Digest'],
    rows: Object.entries(bases).map(([name, { digest }]) => [name, digest]),
  })
  tools.emit({
    kind: 'run-done',
    command: 'image lock',
    changed: isChanged,
    durationMs: tools.clock.elapsedMs() - startedMs,
    message: isChanged ? `${file} is written; commit it` : `${file} is up to date`,
    result: { file, bases },
  })
}

async function locateRecipe({ cwd, recipe, environment }: ImageLockOptions, tools: FlowTools): Promise<string> {
  if (recipe !== undefined) return findRecipe(cwd, recipe)
  const places = await findRepository(gitIn(cwd, { environment, signal: tools.signal }))
  return findRecipe(places.root, undefined)
}

async function lookAtBases(state: LockState): Promise<Outcome<string>> {
  const before = readImageLock(state.recipeFile)
  const bases: Record<string, LockedBase> = {}
  for (const image of state.images) {
    const { base } = image
    const kept = keptLock(state, image, before)
    bases[base] = merged(bases[base], kept ?? (await lookAt(state, image)))
  }
  state.before = before
  state.after = { schema: 1, bases }
  return done(Object.keys(bases).join(', ') || 'the recipe builds on none')
}

/** What needs no look: a tag that is locked for all platforms. */
function keptLock({ options }: LockState, { base, platforms }: RecipeImage, before: ImageLock): LockedBase | undefined {
  const locked = before.bases[base]
  if (options.update || locked === undefined || parseBase(base).kind !== 'registry') return undefined
  return platforms.every(platform => locked.platforms[platform] !== undefined) ? locked : undefined
}

async function lookAt({ options, tools, recipeFile }: LockState, image: RecipeImage): Promise<LockedBase> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cutover-base-'))
  try {
    const temporary = path.join(folder, 'image')
    const places = { recipeFile, folder: path.dirname(recipeFile), temporary }
    const opened = await openCurrentBase({ ...options, ...places, image, step: lookStep }, tools)
    return lockedBase(opened)
  } finally {
    removeTree(folder)
  }
}

function lockedBase({ digest, platforms }: BaseImage): LockedBase {
  return { digest, platforms: Object.fromEntries(platforms.map(({ name, digest: manifest }) => [name, manifest])) }
}

/** Two components may build on one image for different platforms. */
function merged(first: LockedBase | undefined, second: LockedBase): LockedBase {
  return { ...second, platforms: { ...first?.platforms, ...second.platforms } }
}

function writeLock(state: LockState): Outcome<string> {
  const file = lockFileOf(state.recipeFile)
  const text = renderImageLock(known(state.after))
  const there = readTextIfExists(file)
  if (there !== text && (there !== undefined || state.images.length > 0)) writeFileAtomic(file, text)
  return done(file)
}
