import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import { isBinaryExpression, isCaseClause, isNewExpression, isStringLiteral } from 'typescript/unstable/ast/is'
import { afterAll, expect, it } from 'vitest'
import { errorsMarkdown } from '../../scripts/generate/errors.ts'
import { errorCodes } from '../../src/core/codes.ts'
import { lineOf, openSources, walk } from '../support/sources.ts'

const sources = openSources()
afterAll(sources.close)

const equalities = new Set([SyntaxKind.EqualsEqualsEqualsToken, SyntaxKind.ExclamationEqualsEqualsToken])

/** Where each code is named to be thrown: every literal but those that a caught error's code is compared with. */
const thrown = new Map<string, string>()
const unknown: string[] = []
for (const { file, tree } of sources.files) {
  if (file.startsWith('src/core/codes')) continue
  walk(tree, node => {
    if (isStringLiteral(node) && node.text in errorCodes && !isCompared(node)) {
      thrown.set(node.text, `${file}:${lineOf(tree, node)}`)
    }
    if (!isNewExpression(node) || node.expression.getText(tree) !== 'ReleaseError') return
    const code = node.arguments?.[0]
    if (code !== undefined && isStringLiteral(code) && !(code.text in errorCodes)) {
      unknown.push(`${file}:${lineOf(tree, node)} throws ${code.text}`)
    }
  })
}

function isCompared(node: Node): boolean {
  if (isCaseClause(node.parent)) return true
  return isBinaryExpression(node.parent) && equalities.has(node.parent.operatorToken.kind)
}

it('every code that is thrown is in the catalogue', () => {
  expect(unknown).toEqual([])
})

it('every code of the catalogue is thrown somewhere', () => {
  expect(Object.keys(errorCodes).filter(code => !thrown.has(code))).toEqual([])
})

it('every code has a name with its area, a sentence and a hint without one', () => {
  const odd = Object.entries(errorCodes).filter(
    ([code, { meaning, hint }]) =>
      !/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/.test(code) || !/^[A-Z].*\.$/.test(meaning) || hint === '' || hint.endsWith('.'),
  )
  expect(odd.map(([code]) => code)).toEqual([])
})

it('the reference lists every code once', () => {
  const listed = [...errorsMarkdown().matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(match => match[1])
  expect(listed.toSorted()).toEqual(Object.keys(errorCodes).toSorted())
})
