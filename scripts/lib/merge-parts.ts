import fs from 'node:fs'
import path from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'

const mergedName = 'shared.js'

/** How the bundler writes that a file takes something from a part that it shares with others. */
const importStatement = /^import (?:\{([^}]*)\} from )?"(\.[^"]*\/)(chunk-[^"/]*)";$/gm

type Parts = ReadonlyMap<string, Metafile['outputs'][string]>

/**
 * Put the parts that most flows load into one file.
 *
 * The bundler cuts whatever several commands share so finely that none loads what it does not need; but to load sixty files takes far longer
 * than to load thirty with some functions that are never called. Pre: the metafile
 * is of the bundle in `folder`.
 */
export async function mergeParts(folder: string, programs: readonly string[], { outputs }: Metafile): Promise<void> {
  const parts: Parts = new Map(Object.entries(outputs).map(([file, output]) => [path.basename(file), output]))
  const merged = sharedParts(parts, programs)
  if (merged.size === 0) return
  const resolveDir = path.join(folder, 'parts')
  const mergedFile = path.join(resolveDir, mergedName)
  await build({
    stdin: { contents: [...merged].map(part => reexport(part, parts)).join('\n'), resolveDir },
    outfile: mergedFile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    plugins: [leaveAllBut(merged)],
    logLevel: 'warning',
  })
  for (const part of merged) fs.rmSync(path.join(resolveDir, part))
  for (const file of fs.globSync(path.join(folder, '**/*.js'))) {
    if (file !== mergedFile) fs.writeFileSync(file, redirect(fs.readFileSync(file, 'utf8'), merged))
  }
}

/** The parts that at least half of the flows load. What these need is needed as often, so that it is among them. */
function sharedParts(parts: Parts, programs: readonly string[]): ReadonlySet<string> {
  const flows = [...parts].filter(([, { entryPoint }]) => entryPoint?.startsWith('src/flow/')).map(([name]) => name)
  const needs = flows.map(name => neededBy([name], parts))
  // Programs load these before there is a cache of compiled code: they must not bring the rest with them.
  const early = neededBy(
    programs.map(name => `${name}.js`),
    parts,
  )
  const isOften = (name: string) => needs.filter(needed => needed.has(name)).length * 2 >= Math.max(flows.length, 1)
  const shared = [...parts].filter(([name, { entryPoint }]) => entryPoint === undefined && !early.has(name))
  return new Set(shared.map(([name]) => name).filter(isOften))
}

/** Parts and all that is loaded with them. */
function neededBy(names: readonly string[], parts: Parts): ReadonlySet<string> {
  const needed = new Set(names)
  // A set is walked to those that are added meanwhile.
  for (const name of needed) {
    for (const { path: file, kind, external } of parts.get(name)?.imports ?? []) {
      if (kind === 'import-statement' && external !== true) needed.add(path.basename(file))
    }
  }
  return needed
}

/** Parts have the same names for different things: in the file of all of them each name says whose it is. */
const aliasOf = (part: string, name: string) => `${path.basename(part, '.js').replaceAll(/\W/g, '_')}_${name}`

function reexport(part: string, parts: Parts): string {
  const names = parts.get(part)!.exports.map(name => `${name} as ${aliasOf(part, name)}`)
  return `export { ${names.join(', ')} } from './${part}'`
}

function redirect(text: string, merged: ReadonlySet<string>): string {
  return text.replaceAll(
    importStatement,
    (statement: string, list: string | undefined, place: string, part: string) => {
      if (!merged.has(part)) return statement
      const names = (list ?? '').split(',').flatMap(item => {
        const [name = '', local = name] = item.trim().split(' as ')
        return name === '' ? [] : [`${aliasOf(part, name)} as ${local}`]
      })
      return `import { ${names.join(', ')} } from ${JSON.stringify(`${place}${mergedName}`)};`
    },
  )
}

const leaveAllBut = (merged: ReadonlySet<string>): Plugin => ({
  name: 'leave other parts',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.{1,2}\// }, ({ kind, path: file }) => {
      const isMerged = kind === 'import-statement' && merged.has(path.basename(file))
      return isMerged ? undefined : { path: file, external: true }
    })
  },
})
