import fs from 'node:fs'
import { type Document, isMap, isNode, isPair, LineCounter, parseDocument } from 'yaml'
import type { Json } from '../core/canonical-json.ts'
import { type Digest, digestOf } from '../core/digest.ts'
import { isErrno, ReleaseError, toReleaseError } from '../core/error.ts'
import { describeIssue, type IssueText, writeKeyPath } from './issue.ts'
import { type Recipe, recipeSchema } from './schema.ts'

/** A recipe with where it came from. */
export interface LoadedRecipe {
  readonly recipe: Recipe
  /** Of the file's bytes. */
  readonly digest: Digest
  /** As written, without defaults. */
  readonly raw: Json
  readonly file: string
}

/** A place in a text file, counted from 1. */
interface Position {
  readonly line: number
  readonly column: number
}

/**
 * Read and validate a recipe.
 *
 * Errors: RECIPE_INVALID with every problem at once, each as `file:line:column: key.path: expected …, found …`;
 * RECIPE_NOT_FOUND.
 */
export function loadRecipe(file: string): LoadedRecipe {
  const bytes = readRecipe(file)
  const { recipe, raw } = parseRecipe(bytes.toString('utf8'), file)
  return { recipe, raw, digest: digestOf(bytes), file }
}

/** Read a recipe's text; `file` only names it in errors. Errors: RECIPE_INVALID as {@link loadRecipe} has it. */
export function parseRecipe(text: string, file: string): { readonly recipe: Recipe; readonly raw: Json } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  if (document.errors.length > 0) {
    throw invalid(
      file,
      document.errors.map(error => ({ position: at(error.pos[0]), text: `not YAML: ${firstLine(error.message)}` })),
    )
  }
  const raw = document.toJS() as Json
  const parsed = recipeSchema.safeParse(raw)
  if (parsed.success) return { recipe: parsed.data, raw }
  const problems = parsed.error.issues
    .flatMap(issue => describeIssue(issue, raw))
    .map(issue => ({ position: at(offsetOf(document, issue)), text: `${writeKeyPath(issue.path)}: ${issue.text}` }))
  throw invalid(file, problems)
}

function readRecipe(file: string): Buffer {
  try {
    return fs.readFileSync(file)
  } catch (caught) {
    if (!isErrno(caught, 'ENOENT', 'ENOTDIR')) throw toReleaseError(caught)
    throw new ReleaseError('RECIPE_NOT_FOUND', `no recipe at ${file}`, { cause: caught, details: { path: file } })
  }
}

/** Find where the key or value of a path stands; what is missing is shown at the nearest thing around it. */
function offsetOf(document: Document, issue: IssueText): number {
  for (let length = issue.path.length; length > 0; length--) {
    const parent = document.getIn(issue.path.slice(0, length - 1), true) ?? document.contents
    const key = issue.path[length - 1]
    const pair = isMap(parent) ? parent.items.find(item => isPair(item) && plain(item.key) === key) : undefined
    // A mapping's problem is seen best at its key, a scalar's at the scalar.
    const aboutKey = issue.aboutKey || length < issue.path.length
    const node = aboutKey && pair !== undefined ? pair.key : document.getIn(issue.path.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}

function plain(key: unknown): unknown {
  return isNode(key) ? key.toJSON() : key
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]!
}

function invalid(
  file: string,
  problems: readonly { readonly position: Position; readonly text: string }[],
): ReleaseError {
  const sorted = problems.toSorted((a, b) => a.position.line - b.position.line || a.position.column - b.position.column)
  const written = sorted.map(({ position, text }) => `${file}:${position.line}:${position.column}: ${text}`)
  const count = written.length === 1 ? '' : `${written.length} problems:\n`
  return new ReleaseError('RECIPE_INVALID', `${count}${written.join('\n')}`, {
    details: { path: file, problems: written },
  })
}
