import fs from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/core/digest.ts'
import { Layouts } from '../../../../src/repository/serve/layouts.ts'
import { ServedFolder } from '../../../../src/sys/served-folder.ts'
import { tempFolder } from '../../../support/temp.ts'

const root = tempFolder()
const layouts = new Layouts(new ServedFolder(root))
const tagged = (tag: unknown, digest: unknown = digestOf(String(tag))) => ({
  digest,
  annotations: { 'org.opencontainers.image.ref.name': tag },
})

function write(application: string, manifests: readonly unknown[]): void {
  const folder = path.join(root, 'oci', application)
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, '.new'), JSON.stringify({ manifests }))
  fs.renameSync(path.join(folder, '.new'), path.join(folder, 'index.json'))
}

describe('the layouts of a repository', () => {
  it('lists tags and what has none', () => {
    write('notes', [tagged('b'), tagged('a'), { digest: digestOf('said') }])
    expect(layouts.find('notes')).toEqual({
      tags: new Map([
        ['b', digestOf('b')],
        ['a', digestOf('a')],
      ]),
      tagNames: ['a', 'b'],
      untagged: [digestOf('said')],
    })
  })

  it('passes over what no registry could have', () => {
    write('odd', [
      tagged('a/b'),
      tagged(7),
      tagged('x'.repeat(129)),
      tagged('c', 'md5:1'),
      tagged('d'),
      tagged('d', 'x'),
    ])
    expect(layouts.find('odd')?.tagNames).toEqual(['d'])
  })

  it('is read again when it was replaced, and only then', () => {
    write('notes', [tagged('a')])
    const first = layouts.find('notes')
    expect(layouts.find('notes')).toBe(first)
    write('notes', [tagged('b')])
    expect(layouts.find('notes')?.tagNames).toEqual(['b'])
    fs.rmSync(path.join(root, 'oci/notes/index.json'))
    expect(layouts.find('notes')).toBeUndefined()
  })

  it('names what has images', () => {
    write('weave', [])
    fs.mkdirSync(path.join(root, 'oci/begun'))
    fs.mkdirSync(path.join(root, 'oci/.hidden'))
    expect(layouts.names()).toEqual(['odd', 'weave'])
  })

  it('finds nothing by a name that is none', () => {
    for (const name of ['', '.', '..', '../oci/weave', 'weave/', 'weave/../odd', 'WEAVE', '.hidden', 'weave\0']) {
      expect(layouts.find(name)).toBeUndefined()
    }
    fc.assert(
      fc.property(
        fc.string().filter(text => text !== 'weave' && text !== 'odd'),
        name => {
          expect(layouts.find(name)).toBeUndefined()
        },
      ),
    )
  })
})
