import path from 'node:path'
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast'
import { isCallExpression, isExportDeclaration, isImportDeclaration, isStringLiteral } from 'typescript/unstable/ast/is'
import { API, type Project } from 'typescript/unstable/sync'

/** The top folder of the repository. */
export const repositoryRoot = path.resolve(import.meta.dirname, '../..')

/** One import of a source file: static, dynamic or a re-export. */
export interface Import {
  readonly specifier: string
  /** The imported file relative to the repository; undefined for packages and Node's own modules. */
  readonly file: string | undefined
  readonly line: number
  /** Vanishes when the types are stripped. */
  readonly typeOnly: boolean
  /** `import()`: loaded when the code gets there. */
  readonly dynamic: boolean
}

/** A source file of ours, parsed. `file` is relative to the repository. */
export interface Source {
  readonly file: string
  readonly tree: SourceFile
  readonly imports: readonly Import[]
}

/** All files below `src/`, read with the TypeScript compiler, and the project for questions about types. */
export interface Sources {
  readonly project: Project
  readonly files: readonly Source[]
  readonly close: () => void
}

/** Parse everything below `src/`. Post: the compiler's process runs until `close`. */
export function openSources(): Sources {
  const api = new API({ cwd: repositoryRoot })
  const project = api.updateSnapshot({ openProject: path.join(repositoryRoot, 'tsconfig.json') }).getProjects()[0]
  if (project === undefined) throw new Error('tsconfig.json names no project')
  const files = project.rootFiles
    .filter(file => file.startsWith(`${repositoryRoot}/src/`))
    .map(file => readSource(project, file))
  return { project, files, close: () => api.close() }
}

/** Visit a node and everything below it. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  node.forEachChild(child => walk(child, visit))
}

/** The line of a node, counted from 1. */
export function lineOf(tree: SourceFile, node: Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
}

function readSource(project: Project, absolute: string): Source {
  const tree = project.program.getSourceFile(absolute)
  if (tree === undefined) throw new Error(`${absolute} is not in the program`)
  const file = path.relative(repositoryRoot, absolute)
  const imports: Import[] = []
  walk(tree, node => {
    const found = importOf(node)
    if (found === undefined) return
    const target = found.specifier.startsWith('.') ? path.join(path.dirname(file), found.specifier) : undefined
    imports.push({ ...found, file: target, line: lineOf(tree, node) })
  })
  return { file, tree, imports }
}

function importOf(node: Node): Pick<Import, 'specifier' | 'typeOnly' | 'dynamic'> | undefined {
  if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier)) {
    const typeOnly = node.importClause?.phaseModifier === SyntaxKind.TypeKeyword
    return { specifier: node.moduleSpecifier.text, typeOnly, dynamic: false }
  }
  if (isExportDeclaration(node) && node.moduleSpecifier !== undefined && isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly, dynamic: false }
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    const argument = node.arguments[0]
    if (argument !== undefined && isStringLiteral(argument)) {
      return { specifier: argument.text, typeOnly: false, dynamic: true }
    }
  }
  return undefined
}
