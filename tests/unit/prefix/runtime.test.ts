import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { chooseInterpreter } from '../../../src/prefix/interpreter.ts'
import { prefixPaths, releasePaths } from '../../../src/prefix/layout.ts'
import { prepareRuntime } from '../../../src/prefix/runtime.ts'
import { checkRuntime } from '../../../src/prefix/runtime-check.ts'
import { tempFolder } from '../../support/temp.ts'

const pythons = [
  { file: '/usr/bin/python3', version: '3.11.2' },
  { file: '/usr/local/bin/python3', version: '3.14.0' },
]

it('takes the first interpreter in the range, and says what was found when there is none', () => {
  expect(chooseInterpreter('python3', undefined, pythons).file).toBe('/usr/bin/python3')
  expect(chooseInterpreter('python3', '>=3.12', pythons).file).toBe('/usr/local/bin/python3')
  const choose = (range: string | undefined, found: typeof pythons) => () => chooseInterpreter('python3', range, found)
  expect(choose('>=4', pythons)).toThrow(expect.objectContaining({ code: 'RUNTIME_VERSION' }))
  expect(choose('>=4', pythons)).toThrow('3.11.2 (/usr/bin/python3)')
  expect(choose(undefined, [])).toThrow(expect.objectContaining({ code: 'RUNTIME_MISSING' }))
})

it('links the Node that will do', async () => {
  const paths = prefixPaths(tempFolder())
  const release = releasePaths(paths, '1.0.0')
  fs.mkdirSync(release.metadata, { recursive: true })
  const manifest = { version: '1.0.0', files: [] }
  const request = { paths, version: '1.0.0', manifest, values: {}, signal: new AbortController().signal }
  const prepared = await prepareRuntime({ ...request, runtime: { kind: 'node', version: '>=24', packages: [] } })
  expect(prepared).toBe(`node ${process.versions.node}`)
  expect(fs.readlinkSync(release.runtime)).toBe(process.execPath)
  const { PATH } = process.env
  process.env['PATH'] = '/nonexistent'
  await expect(
    prepareRuntime({ ...request, runtime: { kind: 'node', version: '>=999', packages: [] } }),
  ).rejects.toMatchObject({ code: 'RUNTIME_VERSION' })
  process.env['PATH'] = PATH
})

it('takes the interpreter that the payload brings, and checks its version all the same', async () => {
  const paths = prefixPaths(tempFolder())
  const release = releasePaths(paths, '1.0.0')
  fs.mkdirSync(release.metadata, { recursive: true })
  const own = path.join(release.root, 'node')
  fs.writeFileSync(own, '#!/bin/sh\necho v30.1.2\n', { mode: 0o755 })
  const manifest = { version: '1.0.0', files: [] }
  const request = { paths, version: '1.0.0', manifest, values: {}, signal: new AbortController().signal }
  const runtime = { kind: 'node' as const, interpreter: 'node', packages: [] as string[] }
  expect(await prepareRuntime({ ...request, runtime: { ...runtime, version: '>=30' } })).toBe('node 30.1.2')
  expect(fs.readlinkSync(release.runtime)).toBe(own)
  const subject = { paths, version: '1.0.0', account: undefined }
  await checkRuntime({ ...subject, runtime: { ...runtime, version: '>=30' } })
  await expect(checkRuntime({ ...subject, runtime: { ...runtime, version: '>=31' } })).rejects.toMatchObject({
    code: 'RUNTIME_VERSION',
  })
  fs.rmSync(own)
  await expect(checkRuntime({ ...subject, runtime })).rejects.toMatchObject({ code: 'RUNTIME_MISSING' })
  await expect(prepareRuntime({ ...request, runtime })).rejects.toMatchObject({ code: 'RUNTIME_MISSING' })
})
