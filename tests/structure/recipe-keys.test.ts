import type { Node } from 'typescript/unstable/ast'
import {
  isBindingElement,
  isCallExpression,
  isIdentifier,
  isObjectBindingPattern,
  isObjectLiteralExpression,
  isPropertyAccessExpression,
  isPropertyAssignment,
} from 'typescript/unstable/ast/is'
import type { Symbol as TypeSymbol } from 'typescript/unstable/sync'
import { afterAll, expect, it } from 'vitest'
import { lineOf, openSources, repositoryRoot, walk } from '../support/sources.ts'

const isSchemaFile = (file: string) => file === 'src/recipe/schema.ts' || file.startsWith('src/recipe/schema/')
const sources = openSources()
afterAll(sources.close)
const { checker } = sources.project
const schemas = sources.files.filter(source => isSchemaFile(source.file))

interface Key {
  readonly name: string
  /** FILE:LINE. */
  readonly place: string
}

/** The keys of a recipe: the members of what `z.strictObject` is given. */
function schemaKeys(): readonly Key[] {
  const keys: Key[] = []
  for (const { file, tree } of schemas) {
    walk(tree, node => {
      if (!isPropertyAssignment(node) || !isIdentifier(node.name) || !isObjectLiteralExpression(node.parent)) return
      const call: Node | undefined = node.parent.parent
      if (call === undefined || !isCallExpression(call) || call.expression.getText(tree) !== 'z.strictObject') return
      // A migration has the keys of a command, and is run as one: they are read where commands' are.
      if (/^command\.shape\.\w+$/.test(node.initializer.getText(tree))) return
      keys.push({ name: node.name.text, place: `${file}:${lineOf(tree, node)}` })
    })
  }
  return keys
}

/** The properties that are read anywhere else in src/: `value.key`, and `{ key }` taken out of a value. */
function readProperties(): readonly TypeSymbol[] {
  const accessed: Node[] = []
  const found: (TypeSymbol | undefined)[] = []
  for (const { file, tree } of sources.files) {
    if (isSchemaFile(file) || file === 'src/recipe/reference.ts') continue
    walk(tree, node => {
      if (isPropertyAccessExpression(node)) accessed.push(node.name)
      if (!isBindingElement(node) || !isObjectBindingPattern(node.parent)) return
      const type = checker.getTypeAtLocation(node.parent)
      const name = (node.propertyName ?? node.name)?.getText(tree)
      if (type !== undefined && name !== undefined) found.push(checker.getPropertyOfType(type, name))
    })
  }
  return [...found, ...checker.getSymbolAtLocation(accessed)].filter(symbol => symbol !== undefined)
}

it('every key of a recipe is read by the program', () => {
  const declaredAt = new Set<string>()
  const structural = new Set<string>()
  for (const symbol of readProperties()) {
    for (const declaration of symbol.declarations) {
      const node = declaration.resolve(sources.project)
      const schema = schemas.find(({ file }) => declaration.path === `${repositoryRoot}/${file}`)
      if (schema !== undefined) {
        if (node !== undefined) declaredAt.add(`${schema.file}:${lineOf(schema.tree, node)}`)
      } else if (declaration.path.startsWith(`${repositoryRoot}/src/`)) {
        // A part of a recipe is often handed on as a type that its reader declares: an envelope knows no recipe.
        structural.add(symbol.name)
      }
    }
  }
  const unread = schemaKeys()
    .filter(({ place, name }) => !declaredAt.has(place) && !structural.has(name))
    .map(({ place, name }) => `${place} ${name}`)
  expect(schemaKeys().length).toBeGreaterThan(80)
  expect(unread).toEqual([])
})
