import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../src/core/digest.ts'
import { createSbom } from '../../../src/evidence/sbom.ts'
import { assertSbom, summariseSbom } from '../../../src/evidence/sbom-summary.ts'
import { codeOf, codeOfAsync } from '../../support/codes.ts'
import { storedZip, testInventory, testSbom } from '../../support/evidence.ts'
import type { TestFiles } from '../../support/payload.ts'
import { tempFolder } from '../../support/temp.ts'

const wheel = storedZip({ 'w-1.0.dist-info/METADATA': 'Name: w\nVersion: 1.0\nLicense: ISC\n' })
const files: TestFiles = {
  'bin/run.sh': '#!/bin/sh\n',
  'package.json': '{"name":"app","version":"1.0.0","dependencies":{"b":"1"}}',
  'node_modules/b/package.json': '{"name":"b","version":"1.0.0","license":"MIT"}',
  'node_modules/b/lib/deep/index.js': 'x',
  'node_modules/b/node_modules/c/package.json': '{"name":"c","version":"1.0.0","license":"MIT"}',
  'node_modules/b/node_modules/c/index.js': 'y',
  'node_modules/bad/package.json': '{',
  'vendor/w-1.0-py3-none-any.whl': wheel,
  current: { link: 'bin' },
}

interface Node {
  readonly type: string
  readonly name: string
  readonly 'bom-ref'?: string
  readonly hashes?: readonly { readonly content: string }[]
  readonly components?: readonly Node[]
}

const read = (bytes: Buffer) => JSON.parse(bytes.toString())
const namesIn = (node: Node) => (node.components ?? []).map(({ name }) => name)

it('nests every file in what it belongs to, with its digest', async () => {
  const bill = read((await testSbom(files, { folder: tempFolder() })).bytes)
  const byRef = new Map<string, Node>(bill.components.map((node: Node) => [node['bom-ref'], node]))
  expect(namesIn(bill.metadata.component)).toEqual(['bin/run.sh', 'node_modules/bad/package.json', 'package.json'])
  expect(namesIn(byRef.get('node_modules/b')!)).toEqual([
    'node_modules/b/lib/deep/index.js',
    'node_modules/b/package.json',
  ])
  expect(namesIn(byRef.get('node_modules/b/node_modules/c')!)).toEqual([
    'node_modules/b/node_modules/c/index.js',
    'node_modules/b/node_modules/c/package.json',
  ])
  expect(bill.metadata.component.components[0].hashes[0].content).toBe(hexOf(digestOf('#!/bin/sh\n')))
  expect(byRef.get('vendor/w-1.0-py3-none-any.whl')?.hashes?.[0]?.content).toBe(hexOf(digestOf(wheel)))
})

it('has everything reachable from the application, and tells what was passed over', async () => {
  const sbom = await testSbom(files, { folder: tempFolder() })
  const bill = read(sbom.bytes)
  expect(bill.dependencies[0]).toEqual({
    ref: '/',
    dependsOn: ['node_modules/b', 'node_modules/b/node_modules/c', 'vendor/w-1.0-py3-none-any.whl'],
  })
  expect(sbom.problems).toEqual([{ path: 'node_modules/bad/package.json', reason: 'is not JSON' }])
  expect(bill.metadata.properties).toEqual([
    { name: 'dev.cutover:passed-over', value: 'node_modules/bad/package.json is not JSON' },
  ])
})

it('is the same bytes from another folder, and names itself by what it describes', async () => {
  const first = await testSbom(files, { folder: tempFolder() })
  const second = await testSbom(files, { folder: path.join(tempFolder(), 'elsewhere') })
  expect(second.bytes.equals(first.bytes)).toBe(true)
  const other = await testSbom({ ...files, 'bin/run.sh': '#!/bin/bash\n' }, { folder: tempFolder() })
  expect(read(other.bytes).serialNumber).not.toBe(read(first.bytes).serialNumber)
  expect(read(first.bytes).serialNumber).toMatch(
    /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
})

it('is not made of a tree that changed while it was packed', async () => {
  const { inventory } = await testInventory(path.join(tempFolder(), 'a'), files)
  const changed = { ...files, 'node_modules/b/package.json': '{"name":"b","version":"6.6.6"}' }
  const { manifest } = await testInventory(path.join(tempFolder(), 'b'), changed)
  const application = { name: 'app', version: '1.0.0', licence: 'MIT', maintainer: 'A <a@example.org>' }
  expect(codeOf(() => createSbom({ inventory, manifest, application }))).toBe('PAYLOAD_CHANGED')
})

it('does not hide that a file cannot be read', async () => {
  const folder = tempFolder()
  const { takeInventory } = await import('../../../src/evidence/sbom.ts')
  const source = path.join(folder, 'gone')
  const path_ = 'node_modules/a/package.json'
  const tree = { root: 'opt/app', entries: [{ type: 'file', path: path_, mode: 0o644, sizeBytes: 1, source }] } as const
  expect(fs.existsSync(source)).toBe(false)
  expect(await codeOfAsync(takeInventory({ tree }))).toBe('FILE_IO')
})

it('is summed up for people', async () => {
  const { bytes } = await testSbom(files, { folder: tempFolder() })
  const summary = summariseSbom(bytes)
  expect(summary).toEqual({
    subject: 'app 1.0.0',
    specVersion: '1.6',
    packages: 3,
    files: 7,
    licences: [
      { name: 'MIT', packages: 2 },
      { name: 'ISC', packages: 1 },
    ],
  })
  expect(codeOf(() => assertSbom(summary, { name: 'app', version: '1.0.1' }))).toBe('EVIDENCE_MISMATCH')
  expect(codeOf(() => assertSbom(summary, { name: 'app', version: '1.0.0' }))).toBeUndefined()
})

it.each([
  '',
  'null',
  '{}',
  '{"bomFormat":"CycloneDX","specVersion":"1.6"}',
  '{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{}},"components":{}}',
  '{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{}},"components":[7]}',
  `{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{}},"components":${'[{"components":'.repeat(40)}[]${'}]'.repeat(40)}}`,
])('cannot be read from %s', text => {
  expect(codeOf(() => summariseSbom(Buffer.from(text)))).toBe('EVIDENCE_INVALID')
})
