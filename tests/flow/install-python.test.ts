import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { expect, it } from 'vitest'
import { install } from '../../src/flow/install.ts'
import { resolveFromFolder } from '../../src/flow/resolve.ts'
import { verify } from '../../src/flow/verify.ts'
import { releasePaths } from '../../src/prefix/layout.ts'
import { recordedTools } from '../support/recorded-tools.ts'
import { needTool } from '../support/tools.ts'
import { toyInstallation } from '../support/toy-release.ts'
import { madeWheel } from '../support/wheel.ts'

/** Where Debian's python3 has pip and venv as packages of their own, both are needed. */
const hasPython = needTool('python3', 'pip3')

it.skipIf(!hasPython)('makes a virtualenv at the final path, from the vendor folder alone', async () => {
  const toy = toyInstallation()
  process.env['PIP_INDEX_URL'] = 'http://127.0.0.1:9/simple'
  process.env['PIP_FIND_LINKS'] = '/nonexistent'
  try {
    const resolve = resolveFromFolder(await toy.cut({ version: '1.0.0', node: node('>=3.9'), files: vendor() }))
    await install({ prefix: toy.paths.root, resolve }, recordedTools())
  } finally {
    delete process.env['PIP_INDEX_URL']
    delete process.env['PIP_FIND_LINKS']
  }
  const { python, venv } = releasePaths(toy.paths, '1.0.0')
  const where = execFileSync(python, ['-I', '-c', 'import toy, toy_dep; print(toy.__file__)'], { encoding: 'utf8' })
  expect(where.trim().startsWith(`${venv}/lib/`)).toBe(true)
  await verify({ prefix: toy.paths.root, offline: true }, recordedTools())
})

it.skipIf(!hasPython)(
  'refuses an interpreter outside of the range, and a package that the vendor folder lacks',
  async () => {
    const toy = toyInstallation()
    const failing = async (version: string, range: string, files: Record<string, Buffer>) => {
      const resolve = resolveFromFolder(await toy.cut({ version, node: node(range), files }))
      await expect(install({ prefix: toy.paths.root, resolve }, recordedTools())).rejects.toMatchObject({
        code: version === '1.0.0' ? 'RUNTIME_VERSION' : 'SETUP_FAILED',
      })
      expect(fs.readdirSync(toy.paths.releases)).toEqual([])
    }
    await failing('1.0.0', '>=99', vendor())
    const { 'vendor/toy-1.0.0-py3-none-any.whl': wheel } = vendor()
    await failing('1.0.1', '>=3.9', { 'vendor/toy-1.0.0-py3-none-any.whl': wheel! })
  },
)

const node = (range: string) => ({
  runtime: { kind: 'python', version: range, vendor: 'vendor', packages: ['toy==1.0.0'] },
})

/** Wheels of a package and of what it depends on. */
function vendor(): Record<string, Buffer> {
  return {
    'vendor/toy-1.0.0-py3-none-any.whl': madeWheel('toy', 'Requires-Dist: toy-dep\n'),
    'vendor/toy_dep-1.0.0-py3-none-any.whl': madeWheel('toy_dep', ''),
  }
}
