import path from 'node:path'
import type { PayloadManifest } from '../payload/manifest.ts'
import type { NodeRecipe } from '../recipe/schema.ts'
import type { Account } from '../sys/account.ts'
import { replaceSymlink } from '../sys/files.ts'
import {
  askInterpreter,
  chooseInterpreter,
  findInterpreter,
  type Interpreter,
  type InterpreterName,
} from './interpreter.ts'
import { type PrefixPaths, releasePaths } from './layout.ts'
import { buildVirtualenv } from './virtualenv.ts'

/** What a runtime is made for. */
export interface RuntimeRequest {
  readonly paths: PrefixPaths
  readonly version: string
  readonly runtime: NodeRecipe['runtime']
  readonly manifest: Pick<PayloadManifest, 'files' | 'version'>
  readonly values: Readonly<Record<string, string>>
  /** Whom what the release brings runs as; undefined: whoever runs us. */
  readonly account?: Account | undefined
  /** What is kept from it besides; see sys/isolation.ts. */
  readonly within?: readonly string[]
  readonly signal: AbortSignal
}

/**
 * Give a staged release its interpreter: a link to a Node that will do, or a virtualenv with the packages of the vendor folder.
 *
 * Post: the interpreter's version, for people. Errors: RUNTIME_MISSING, RUNTIME_VERSION, SETUP_FAILED (pip).
 */
export async function prepareRuntime(request: RuntimeRequest): Promise<string> {
  switch (request.runtime.kind) {
    case 'none':
      return 'no runtime'
    case 'node': {
      const node = await findRuntime(request, 'node')
      replaceSymlink(releasePaths(request.paths, request.version).runtime, node.file)
      return `node ${node.version}`
    }
    case 'python':
      return await buildVirtualenv(request, await findRuntime(request, 'python3'))
  }
}

/** Find the interpreter of a release: its own, or the first of the machine that will do. For Node, the one that runs us comes before all. */
async function findRuntime(request: RuntimeRequest, name: InterpreterName): Promise<Interpreter> {
  const { paths, version, runtime, account } = request
  const query = { name, range: runtime.version, account }
  if (runtime.interpreter === undefined) return await findInterpreter(query, name === 'node' ? [process.execPath] : [])
  const own = await askInterpreter(query, path.join(releasePaths(paths, version).root, runtime.interpreter))
  return chooseInterpreter(runtime.interpreter, runtime.version, own === undefined ? [] : [own])
}
