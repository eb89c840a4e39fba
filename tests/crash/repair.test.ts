import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { verify } from '../../src/flow/verify.ts'
import { type PrefixPaths, prefixPaths, releasePaths } from '../../src/prefix/layout.ts'
import { type KillPoint, sample } from '../support/kill-points.ts'
import { type BuiltCutover, builtCutover } from '../support/killed-cutover.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { tempFolder } from '../support/temp.ts'
import { toyInstallation } from '../support/toy-release.ts'

/* A repair and a garbage collection that are killed anywhere leave a prefix that the same command brings to the same end. */

const files = { 'bin/run.sh': '#!/bin/sh\n', 'lib/a': 'a', 'lib/deep/b': 'b'.repeat(50_000), 'lib/link': { link: 'a' } }
let template: PrefixPaths
let cutover: BuiltCutover

beforeAll(async () => {
  const toy = toyInstallation()
  for (const version of ['0.8.0', '0.9.0', '1.0.0']) {
    const resolve = resolveFromFolder(await toy.cut({ version, files }))
    await install({ prefix: toy.paths.root, version, resolve }, recordedTools())
  }
  template = toy.paths
  cutover = await builtCutover()
})

function installed(): PrefixPaths {
  const paths = prefixPaths(path.join(tempFolder(), 'prefix'))
  fs.cpSync(template.root, paths.root, { recursive: true, verbatimSymlinks: true })
  return paths
}

/** Run a command, kill it at some of its operations, and run it again each time. */
async function killAndRepeat(
  prepare: () => PrefixPaths,
  args: readonly string[],
  check: { readonly killed: (paths: PrefixPaths, at: KillPoint) => void; readonly ended: (paths: PrefixPaths) => void },
): Promise<void> {
  const within = (paths: PrefixPaths) => [...args, '--prefix', paths.root]
  const { points, exitCode } = await cutover.record(within(prepare()))
  expect(exitCode).toBe(0)
  expect(points.length).toBeGreaterThan(10)
  for (const at of sample(points, 4)) {
    const paths = prepare()
    expect((await cutover.run(within(paths), { kind: 'kill', at })).signal, at.what).toBe('SIGKILL')
    check.killed(paths, at)
    expect((await cutover.run(within(paths))).exitCode, at.what).toBe(0)
    check.ended(paths)
    await verify({ prefix: paths.root, all: true, offline: true }, recordedTools())
  }
}

it('a repair that is killed leaves each file as it was or as it is to be', async () => {
  const root = (paths: PrefixPaths) => releasePaths(paths, '1.0.0').root
  const damaged = () => {
    const paths = installed()
    fs.writeFileSync(path.join(root(paths), 'lib/deep/b'), 'damaged')
    fs.chmodSync(path.join(root(paths), 'lib/a'), 0o600)
    fs.rmSync(path.join(root(paths), 'bin'), { recursive: true })
    fs.rmSync(path.join(root(paths), 'lib/link'))
    fs.mkdirSync(path.join(root(paths), 'lib/link'))
    return paths
  }
  await killAndRepeat(damaged, ['verify', '--repair', '--offline'], {
    killed: (paths, at) => {
      const found = fs.readFileSync(path.join(root(paths), 'lib/deep/b'), 'utf8')
      expect(['damaged', files['lib/deep/b']], at.what).toContain(found)
    },
    ended: paths => {
      expect(fs.readdirSync(paths.releases).filter(name => name.startsWith('.mend'))).toEqual([])
    },
  })
})

it('a garbage collection that is killed has removed what it journaled, or removes it the next time', async () => {
  await killAndRepeat(installed, ['gc', '--keep', '2'], {
    killed: paths => {
      for (const kept of ['0.9.0', '1.0.0']) expect(fs.existsSync(releasePaths(paths, kept).record)).toBe(true)
    },
    ended: paths => {
      expect(fs.readdirSync(paths.releases).toSorted()).toEqual(['0.9.0', '1.0.0'])
    },
  })
})
