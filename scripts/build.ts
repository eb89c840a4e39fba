/*
 * Bundle what is shipped: build/release.js and build/cutover.js with their lazy parts beside them, and the licences of what is bundled.
 * They need Node and nothing else. `node scripts/build.ts [FOLDER]`; the folder is build/ when absent.
 */
import fs from 'node:fs'
import path from 'node:path'
import { build, type Metafile } from 'esbuild'
import description from '../package.json' with { type: 'json' }
import { bundledPackages, thirdPartyNotices } from './lib/third-party.ts'

const root = path.resolve(import.meta.dirname, '..')

/** The programs of threads, by the names under which the sources find them; shipped among the parts. */
const threads: Readonly<Record<string, string>> = description.imports
const shippedAs = (file: string) => `parts/${path.basename(file, '.ts')}`

const metafile = await bundle(path.resolve(process.argv[2] ?? path.join(root, 'build')))
const sizeBytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0)
process.stdout.write(`${Object.keys(metafile.outputs).length} files, ${(sizeBytes / 1024 / 1024).toFixed(1)} MiB\n`)

async function bundle(folder: string): Promise<Metafile> {
  fs.rmSync(folder, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      release: 'src/bin/release.ts',
      cutover: 'src/bin/cutover.ts',
      ...Object.fromEntries(Object.values(threads).map(file => [shippedAs(file), file])),
    },
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24.15',
    chunkNames: 'parts/[name]-[hash]',
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
  for (const name of ['release.js', 'cutover.js']) fs.chmodSync(path.join(folder, name), 0o755)
  const imports = Object.fromEntries(Object.entries(threads).map(([name, file]) => [name, `./${shippedAs(file)}.js`]))
  // The packages are ES modules wherever the folder is put.
  fs.writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify({ type: 'module', imports })}\n`)
  fs.writeFileSync(path.join(folder, 'THIRD-PARTY.txt'), thirdPartyNotices(root, bundledPackages(metafile)))
  return metafile
}
