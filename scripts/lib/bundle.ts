import fs from 'node:fs'
import path from 'node:path'
import { build, type Metafile } from 'esbuild'
import description from '../../package.json' with { type: 'json' }
import { usedBuiltins } from './used-builtins.ts'

const root = path.resolve(import.meta.dirname, '../..')

/** The programs of threads, by the names under which the sources find them; shipped among the parts. */
const threads: Readonly<Record<string, string>> = description.imports
const shippedAs = (file: string) => `parts/${path.basename(file, '.ts')}`

/**
 * Bundle programs, given by their names in the bundle, with their lazy parts and the threads that these start.
 *
 * Post: the folder is new and needs Node and nothing else.
 */
export async function bundle(programs: Readonly<Record<string, string>>, folder: string): Promise<Metafile> {
  fs.rmSync(folder, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      ...programs,
      ...Object.fromEntries(Object.values(threads).map(file => [shippedAs(file), file])),
    },
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24.15',
    chunkNames: 'parts/[name]-[hash]',
    plugins: [usedBuiltins],
    // The library for SBOMs asks for it to write XML, does without, and is never asked for XML.
    external: ['xmlbuilder2'],
    // CommonJS packages call require for what Node brings; an ES module has none of its own.
    banner: {
      js: "import { createRequire as cutoverCreateRequire } from 'node:module'\nconst require = cutoverCreateRequire(import.meta.url)",
    },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  const imports = Object.fromEntries(Object.entries(threads).map(([name, file]) => [name, `./${shippedAs(file)}.js`]))
  // The packages are ES modules wherever the folder is put.
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify({ type: 'module', imports })}\n`)
  return metafile
}
