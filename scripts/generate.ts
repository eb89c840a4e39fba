/*
 * Write the references that are generated from the sources, or with --check compare them: exit code 1 when one is out of date.
 */
import fs from 'node:fs'
import path from 'node:path'
import { cutoverExecutable } from '../src/cli/cutover-commands.ts'
import { releaseExecutable } from '../src/cli/release-commands.ts'
import { recipeJsonSchema, recipeReference } from '../src/recipe/reference.ts'
import { errorsMarkdown } from './generate/errors.ts'
import { manualPage } from './generate/manual.ts'

const root = path.resolve(import.meta.dirname, '..')

const generated: readonly { readonly file: string; readonly text: () => string | Promise<string> }[] = [
  { file: 'recipes/recipe.schema.json', text: recipeJsonSchema },
  { file: 'recipes/REFERENCE.md', text: recipeReference },
  { file: 'src/ERRORS.md', text: errorsMarkdown },
  { file: 'debian/release.1', text: () => manualPage(releaseExecutable) },
  { file: 'debian/cutover.1', text: () => manualPage(cutoverExecutable) },
]

const checking = process.argv.includes('--check')
for (const { file, text } of generated) {
  const target = path.join(root, file)
  const wanted = await text()
  const found = fs.existsSync(target) ? fs.readFileSync(target, 'utf8') : undefined
  if (found === wanted) continue
  if (checking) {
    process.stderr.write(`${file} is out of date: run npm run generate\n`)
    process.exitCode = 1
  } else {
    fs.mkdirSync(path.dirname(target), { recursive: true })
    fs.writeFileSync(target, wanted)
    process.stdout.write(`wrote ${file}\n`)
  }
}
