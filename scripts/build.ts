/*
 * Bundle what is shipped: build/release.js and build/cutover.js with their lazy parts beside them, and the licences of what is bundled.
 * They need Node and nothing else. `node scripts/build.ts [FOLDER]`; the folder is build/ when absent.
 */
import fs from 'node:fs'
import path from 'node:path'
import { bundle } from './lib/bundle.ts'
import { bundledPackages, thirdPartyNotices } from './lib/third-party.ts'

const root = path.resolve(import.meta.dirname, '..')
const folder = path.resolve(process.argv[2] ?? path.join(root, 'build'))

const metafile = await bundle({ release: 'src/bin/release.ts', cutover: 'src/bin/cutover.ts' }, folder)
for (const name of ['release.js', 'cutover.js']) fs.chmodSync(path.join(folder, name), 0o755)
fs.writeFileSync(path.join(folder, 'THIRD-PARTY.txt'), thirdPartyNotices(root, bundledPackages(metafile)))

const files = fs.globSync(path.join(folder, '**/*.js'))
const sizeBytes = files.reduce((sum, file) => sum + fs.statSync(file).size, 0)
process.stdout.write(`${files.length} files, ${(sizeBytes / 1024 / 1024).toFixed(1)} MiB\n`)
