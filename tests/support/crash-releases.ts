import fs from 'node:fs'
import path from 'node:path'
import type { Fixture } from '../../fixtures/make-repository.ts'
import { buildTree } from '../../src/build/tree.ts'
import type { Json } from '../../src/core/canonical-json.ts'
import { loadRecipe } from '../../src/recipe/load.ts'
import { nodeRecipeJson } from '../../src/recipe/node.ts'
import { cutTree } from './cut-tree.ts'
import { builtCheckout } from './fixture-prefix.ts'
import { type MadeRepository, makeRepository } from './made-repository.ts'
import { noise } from './payload.ts'
import { cutToy, servedFiles, servedNode } from './toy-release.ts'

/** A migration that can be run again, as every migration must be. */
export const repeatable = (phase: string) => ({ name: phase, phase, run: `echo "$version" > "$shared/${phase}"` })

/** A migration that fails, having changed nothing. */
export const failing = (phase: string) => ({ name: phase, phase, run: 'exit 1' })

type Misbehaviour = Parameters<typeof servedNode>[0]

/** Publish a release of `toy` that has some of everything that a payload may have. */
export async function publishToy(
  repository: MadeRepository,
  version: string,
  options: {
    readonly migrations?: readonly ReturnType<typeof repeatable>[]
    /** A command of setup besides the usual one. */
    readonly setup?: string
    readonly toy?: Misbehaviour
    /** More of the recipe's `node`. */
    readonly node?: { readonly [key: string]: Json }
  } = {},
): Promise<void> {
  const node = {
    ...servedNode(options.toy ?? {}),
    migrations: [...(options.migrations ?? [])],
    shared: ['data'],
    secrets: [{ name: 'TOKEN', bytes: 16, encoding: 'hex' }],
    files: [{ path: 'toy.conf', template: 'toy.conf.template', mode: '0640' }],
    setup: [
      { run: 'echo "$version" > generated.txt' },
      ...(options.setup === undefined ? [] : [{ run: options.setup }]),
    ],
    ...options.node,
  }
  const files = {
    ...servedFiles,
    'toy.conf.template': 'token ${TOKEN}\n',
    'bin/run.sh': '#!/bin/sh\nexit 0\n',
    'assets/same.bin': noise(20_000, 7),
    'assets/other.bin': noise(20_000, version.length + Number(version.replaceAll('.', ''))),
    'assets/link': { link: '../version.txt' },
    empty: null,
  }
  await cutToy(repository.distFolder, { version, node, files })
  await repository.upload(version)
}

/** Make a repository with releases of a fixture, for `cutover init`; `change` puts another checkout in the place of one. */
export async function fixtureRepository(
  base: string,
  fixture: Fixture,
  versions: readonly string[],
  change: (checkout: string) => string = checkout => checkout,
): Promise<MadeRepository & { readonly application: string }> {
  const checkouts = []
  for (const version of versions) checkouts.push({ version, folder: change(await builtCheckout(fixture, version)) })
  const application = loadRecipe(path.join(checkouts[0]!.folder, 'release.yaml')).recipe.name
  const repository = await makeRepository(base, { applications: [application] })
  for (const { version, folder } of checkouts) {
    const { recipe, raw } = loadRecipe(path.join(folder, 'release.yaml'))
    const tree = buildTree(folder, recipe.payload)
    fs.mkdirSync(repository.distFolder, { recursive: true })
    await cutTree(repository.distFolder, { name: recipe.name, version, tree, recipe: nodeRecipeJson(raw) })
    await repository.upload(version)
  }
  return { ...repository, application }
}
