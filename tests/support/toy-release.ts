import fs from 'node:fs'
import path from 'node:path'
import type { Json } from '../../src/core/canonical-json.ts'
import type { Tree } from '../../src/core/tree.ts'
import { type PrefixPaths, prefixPaths } from '../../src/prefix/layout.ts'
import { makePrefix } from '../../src/prefix/make.ts'
import { cutTree } from './cut-tree.ts'
import { type TestFiles, testTree } from './payload.ts'
import { tempFolder } from './temp.ts'

/** A release to be made. `node` is merged into a recipe that has no services. */
export interface ToyRelease {
  readonly version: string
  readonly node?: { readonly [key: string]: Json }
  readonly files?: TestFiles
  /** The tag that marks it and the tree that it marks; absent: a snapshot, chosen by its name only. */
  readonly tagged?: { readonly tag: string; readonly tree: string }
}

/** A prefix for the application `toy`, and a folder for its releases. */
export interface ToyInstallation {
  readonly paths: PrefixPaths
  readonly dist: string
  /** Make a release; its folder is for `resolveFromFolder`. */
  readonly cut: (release: ToyRelease) => Promise<string>
}

/** Make an empty prefix that is not bound to any repository. */
export function toyInstallation(root = tempFolder()): ToyInstallation {
  const paths = prefixPaths(path.join(root, 'prefix'))
  const dist = path.join(root, 'dist')
  makePrefix(paths, {
    schema: 1,
    layout: 1,
    application: 'toy',
    repository: 'file:///nowhere',
    environment: 'production',
    variables: {},
  })
  return { paths, dist, cut: release => cutToy(dist, release) }
}

/** A recipe whose service is toy-app.ts, shipped in the payload. */
export function servedNode(options: { readonly toy?: string; readonly deadline?: string } = {}): {
  readonly [key: string]: Json
} {
  return {
    runtime: { kind: 'node' },
    services: [
      {
        name: 'web',
        command: ['${runtime}', 'toy-app.ts'],
        environment: { VERSION: '${version}', TOY: options.toy ?? '', PORT: '${port}' },
        listens: true,
        stopTimeout: '5s',
      },
    ],
    health: {
      http: { path: '/health', contains: 'version ${version}' },
      interval: '20ms',
      deadline: options.deadline ?? '5s',
      watch: '100ms',
    },
    gate: { listen: '127.0.0.1:0' },
  }
}

/** The files that {@link servedNode} needs. */
export const servedFiles: TestFiles = {
  'toy-app.ts': fs.readFileSync(path.join(import.meta.dirname, 'toy-app.ts'), 'utf8'),
  'package.json': '{"type":"module"}\n',
}

/** Make a release of `toy` in a folder of the version below `dist`. */
export function cutToy(dist: string, release: ToyRelease): Promise<string> {
  const source = path.join(dist, `${release.version}.tree`)
  fs.mkdirSync(source, { recursive: true })
  const tree = testTree(source, { 'version.txt': release.version, ...release.files })
  return cutToyTree(dist, { ...release, tree })
}

/** Make a release of `toy` of any tree. */
export function cutToyTree(
  dist: string,
  release: Omit<ToyRelease, 'files'> & { readonly tree: Tree },
): Promise<string> {
  const recipe = { schema: 1, name: 'toy', node: release.node ?? {}, environments: { production: {} } }
  return cutTree(dist, { ...release, name: 'toy', recipe })
}
