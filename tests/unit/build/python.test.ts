import fs from 'node:fs'
import path from 'node:path'
import { create } from 'tar'
import { describe, expect, it } from 'vitest'
import { collectPython, parseName } from '../../../src/build/python.ts'
import { writeFiles } from '../../support/git-repository.ts'
import { tempFolder } from '../../support/temp.ts'

async function builtCheckout() {
  const checkout = tempFolder()
  writeFiles(checkout, {
    'Weave_Server-2.0.0/PKG-INFO':
      'Metadata-Version: 2.1\nName: Weave_Server\nRequires-Python: >=3.11\n\nRequires-Python: 2\n',
    'vendor/weave_server-2.0.0-py3-none-any.whl': 'wheel',
    'vendor/other-1.0-1-py3-none-any.whl': 'other',
    'vendor/README': 'no distribution',
  })
  await create({ gzip: true, cwd: checkout, file: path.join(checkout, 'vendor/Weave_Server-2.0.0.tar.gz') }, [
    'Weave_Server-2.0.0',
  ])
  return checkout
}

describe('collectPython', () => {
  it('copies distributions, sorted, with the Python that their project needs', async () => {
    const folder = tempFolder()
    const files = await collectPython(await builtCheckout(), ['vendor'], folder)
    expect(files.map(file => [file.name, file.project, file.requiresPython])).toEqual([
      ['Weave_Server-2.0.0.tar.gz', 'weave-server', '>=3.11'],
      ['other-1.0-1-py3-none-any.whl', 'other', undefined],
      ['weave_server-2.0.0-py3-none-any.whl', 'weave-server', '>=3.11'],
    ])
    expect(fs.readdirSync(folder).toSorted()).toEqual(files.map(file => file.name))
  })

  it('refuses a folder without any, and the same name from two folders', async () => {
    const checkout = await builtCheckout()
    writeFiles(checkout, { 'again/other-1.0-1-py3-none-any.whl': 'x', 'none/README': '' })
    for (const folders of [['none'], ['missing'], ['vendor', 'again']]) {
      await expect(collectPython(checkout, folders, tempFolder())).rejects.toMatchObject({ code: 'BUILD_PYTHON' })
    }
  })
})

describe('parseName', () => {
  it.each([
    ['weave_server-2.0.0-py3-none-any.whl', { project: 'weave-server', version: '2.0.0' }],
    ['weave-server-2.0.0.tar.gz', { project: 'weave-server', version: '2.0.0' }],
    ['weave.whl', undefined],
    ['README.md', undefined],
  ])('reads %s', (name, expected) => {
    expect(parseName(name)).toEqual(expected)
  })
})
