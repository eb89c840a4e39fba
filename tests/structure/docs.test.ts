import fs from 'node:fs'
import path from 'node:path'
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import { afterAll, expect, it } from 'vitest'
import { parseRecipe } from '../../src/recipe/load.ts'
import { lineOf, openSources, repositoryRoot } from '../support/sources.ts'

const sources = openSources()
afterAll(sources.close)

const declarations = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.ClassDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.VariableStatement,
])

interface Modified extends Node {
  readonly modifiers?: readonly Node[]
  readonly jsDoc?: readonly Node[]
}

function isExported(node: Modified): boolean {
  return node.modifiers?.some(modifier => modifier.kind === SyntaxKind.ExportKeyword) ?? false
}

// The options of a function are explained by the function and member by member; a line above them would only repeat the name.
const isOptions = (name: string) => name.endsWith('Options')

it('every export says what it promises', () => {
  const silent = sources.files.flatMap(({ file, tree }) => {
    // The overloads of a function share the docstring of the first.
    const documented = new Set<string>()
    return [...tree.statements].flatMap((node: Node) => {
      const statement = node as Modified
      if (!declarations.has(statement.kind) || !isExported(statement)) return []
      const name = statement.getText(tree).match(/\b(?:function\*?|class|interface|type|const|let)\s+(\w+)/)?.[1] ?? '?'
      if ((statement.jsDoc?.length ?? 0) > 0) documented.add(name)
      return documented.has(name) || isOptions(name) ? [] : [`${file}:${lineOf(tree, statement)} ${name}`]
    })
  })
  expect(silent).toEqual([])
})

it('every folder of src/ that holds code says in at most 40 lines what it is for', () => {
  const odd = fs
    .readdirSync(path.join(repositoryRoot, 'src'), { withFileTypes: true })
    .filter(entry => entry.isDirectory() && holdsCode(path.join(repositoryRoot, 'src', entry.name)))
    .flatMap(entry => {
      const file = path.join(repositoryRoot, 'src', entry.name, 'README.md')
      if (!fs.existsSync(file)) return [`src/${entry.name}/README.md is missing`]
      const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n').length
      return lines <= 40 ? [] : [`src/${entry.name}/README.md has ${lines} lines`]
    })
  expect(odd).toEqual([])
})

it('links of the documents lead somewhere', () => {
  const documents = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'src/GLOSSARY.md'].map(file => ({
    file,
    text: fs.readFileSync(path.join(repositoryRoot, file), 'utf8'),
  }))
  const dead = documents.flatMap(({ file, text }) =>
    [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
      .map(match => match[1]!)
      .filter(target => !fs.existsSync(path.join(repositoryRoot, path.dirname(file), target)))
      .map(target => `${file} → ${target}`),
  )
  expect(dead).toEqual([])
})

function holdsCode(folder: string): boolean {
  return fs.readdirSync(folder, { recursive: true }).some(name => String(name).endsWith('.ts'))
}

it('the recipe in the README is one', () => {
  const readme = fs.readFileSync(path.join(repositoryRoot, 'README.md'), 'utf8')
  const recipe = /```yaml\n(.*?)```/s.exec(readme)?.[1] ?? ''
  expect(parseRecipe(recipe, 'README.md').recipe.name).toBe('hello')
})
